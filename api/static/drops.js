/** Dropped files: a picture to search with, or media to add, by where they are let go. */

import { $ } from "/static/dom.js";

const LIKE_A_QUERY = 3; // more files than that are meant to be added

/** `onsearch(files)`; `onadd(files)` where `mayAdd()`. Folders are walked. */
export function listenForDrops({ onsearch, onadd, mayAdd }) {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const rest = () => document.body.classList.remove("dropping");
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    $("drop-add").hidden = !mayAdd();
    $("drop-search").hidden = $("adding").open;
    document.body.classList.add("dropping");
    for (const zone of [$("drop-search"), $("drop-add")]) zone.classList.toggle("over", zone.contains(event.target));
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) rest();
  });
  document.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    rest();
    const aimed = $("drop-add").contains(event.target) || $("adding").open;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files];
    const folders = entries.some((entry) => entry.isDirectory);
    const files = folders ? (await Promise.all(entries.map(walk))).flat() : plain;
    if (mayAdd() && (aimed || folders || files.length > LIKE_A_QUERY)) onadd(files);
    else if (files.length) onsearch(files);
  });
}

/** All files below an entry, in the order the browser tells them. */
async function walk(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found.flat();
    found.push(...(await Promise.all(some.map(walk))));
  }
}
