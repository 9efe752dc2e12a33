/** What is known of a hit; facts that others share lead to them. */

import { h } from "/static/dom.js";
import { clock, place, when } from "/static/format.js";
import { likelihood } from "/static/match.js";

const NEAR = 2; // kilometres

/** A list of facts; `onnarrow({ filters, near })` where one is chosen. */
export function facts(hit, onnarrow) {
  const only = (key, condition) => () => onnarrow({ filters: new Map([[key, condition]]) });
  const day = hit.taken && !Number.isNaN(Date.parse(hit.taken)) && new Date(hit.taken).toISOString().slice(0, 10);
  const { lat, lon } = hit.location ?? {};
  const located = Number.isFinite(lat) && Number.isFinite(lon);
  const rows = [
    ["Match", match(hit)],
    ["Taken", hit.taken && link(when(hit.taken), "All of this day", day && only("taken", { from: day, to: day }))],
    ["Place", located && link(place(lat, lon), "All from near here", () => onnarrow({ near: { lat, lon, km: NEAR } }))],
    ["Camera", hit.camera && link(hit.camera, "All by this camera", only("camera", { is: [hit.camera] }))],
    ["Folder", hit.folder && link(hit.folder, "All of this folder", only("folder", { is: [hit.folder] }))],
    ["Size", hit.width && `${hit.width} × ${hit.height}`],
    ["Length", hit.duration && clock(hit.duration)],
    ["Tags", Array.isArray(hit.tags) && hit.tags.length && tags(hit.tags, only)],
  ].filter(([, value]) => value);
  return h("dl", {}, ...rows.flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
}

function link(text, title, onclick) {
  if (!onclick) return h("span", { dir: "auto" }, text);
  return h("button", { type: "button", className: "fact", title, dir: "auto", onclick }, text);
}

function tags(values, only) {
  const buttons = values.map((tag) => link(String(tag), `All tagged ${tag}`, only("tags", { is: [String(tag)] })));
  return h("span", { className: "tags" }, ...buttons);
}

/** Four dots and a word where the likelihood is known; else the score, which only compares. */
function match(hit) {
  const likely = likelihood(hit);
  if (typeof hit.score !== "number") return null;
  const title = `Score ${hit.score.toFixed(3)}, comparable within one search`;
  if (!likely) return h("span", { title }, hit.score.toFixed(3));
  const dots = Array.from({ length: 4 }, (_, i) => h("i", { className: i < likely.dots ? "on" : "" }));
  return h("span", { className: "match", title }, h("span", { className: "dots", "aria-hidden": "true" }, ...dots), likely.word);
}
