/** The dialog that adds media: files and folders of this device, and folders of the server. */

import { ApiError, createCollection, failures } from "/static/api.js";
import { $, h, icon } from "/static/dom.js";
import { bytes, count } from "/static/format.js";
import { Uploads } from "/static/uploads.js";
import { Work } from "/static/work.js";

const ROWS = 200; // of more files the rest is only counted
const SAID = { waiting: "Waiting", sending: "Sending", reading: "Reading", queued: "Reading, as a job", done: "Added", unchanged: "Already here", skipped: "Not a photo or video", failed: "Failed" };
const FIRST = "default"; // the collection that is made where there is none

/** The dialog `#adding`; `onadded(collection)` when something came in and it is out of the way. */
export class Adding {
  constructor({ onadded }) {
    this.node = $("adding");
    this.onadded = onadded;
    this.rows = new Map();
    this.came = new Set(); // collections that something came into
    this.work = new Work({ onopen: () => this.open(this.collection), onend: (job) => this.#ended(job) });
    this.uploads = new Uploads({ onchange: (upload) => this.#changed(upload), onqueued: (job) => this.work.expect(job) });
    this.#listen();
  }

  /** What is under way may be from before. */
  begin(collection) {
    this.collection = collection;
    return this.work.look();
  }

  open(collection) {
    this.collection = collection;
    $("adding-target").textContent = collection ?? FIRST;
    if (!this.node.open) this.node.showModal();
  }

  /** Take files up; the first collection is made for them if need be. */
  add(files) {
    return files.length && this.#into((collection) => this.uploads.add(collection, files));
  }

  async #into(act) {
    $("adding-wrong").textContent = "";
    try {
      if (!this.collection) this.collection = (await createCollection(FIRST)).name;
      await act(this.collection);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      $("adding-wrong").textContent = error.message;
    }
  }

  #listen() {
    for (const name of ["files", "folder"]) {
      $(`add-${name}`).addEventListener("click", () => $(`${name}-chosen`).click());
      $(`${name}-chosen`).addEventListener("change", (event) => {
        this.add([...event.target.files]);
        event.target.value = "";
      });
    }
    $("server-folder").addEventListener("submit", (event) => {
      event.preventDefault();
      const path = $("server-path").value.trim();
      if (path) this.#into((collection) => this.work.begin(collection, path));
    });
    $("adding-close").addEventListener("click", () => this.node.close());
    $("adding-cancel").addEventListener("click", () => this.uploads.cancel());
    this.node.addEventListener("close", () => this.#left());
    addEventListener("beforeunload", (event) => this.uploads.list.some(({ request, state }) => request && state === "sending") && event.preventDefault());
  }

  /** Out of the way: show what came in, and clear what is settled. */
  #left() {
    for (const collection of this.came) this.onadded(collection);
    this.came.clear();
    this.work.tidy();
    if (this.uploads.left) return;
    this.uploads.clear();
    this.rows.clear();
    $("uploads").replaceChildren();
    this.#total();
  }

  async #ended(job) {
    const mine = this.uploads.list.some((upload) => upload.job === job.id);
    if (mine) this.uploads.settle(job, await failures(job.id, ROWS).catch(() => []));
    if (job.counts.done) this.came.add(job.collection);
    if (!this.node.open) this.#left();
  }

  #changed(upload) {
    if (!this.rows.has(upload) && this.rows.size < ROWS) {
      const row = new Row(upload, () => this.uploads.retry(upload));
      this.rows.set(upload, row);
      $("uploads").append(row.node);
    }
    this.rows.get(upload)?.show();
    if (upload.state === "done") this.came.add(upload.collection);
    this.#total();
  }

  #total() {
    const { left, list } = this.uploads;
    const parts = [
      [this.uploads.count("done"), "added"],
      [this.uploads.count("unchanged"), "already here"],
      [this.uploads.count("skipped"), "skipped"],
      [this.uploads.count("failed"), "failed"],
    ].filter(([n]) => n);
    const done = parts.map(([n, what]) => `${n.toLocaleString()} ${what}`).join(", ");
    $("adding-total").textContent = list.length ? [left && `${count(left, "file", "files")} to go`, done].filter(Boolean).join(" · ") : "";
    $("adding-cancel").hidden = !left;
    $("adding-close").textContent = left ? "Hide" : "Done";
    $("adding-bar").hidden = !left;
    const whole = list.reduce((sum, { state, progress }) => sum + (["waiting", "sending", "reading", "queued"].includes(state) ? 0.9 * progress : 1), 0);
    $("adding-bar").value = list.length ? whole / list.length : 0;
    if (list.length && !left && !this.node.open) this.#left();
  }
}

/** One file in the list. */
class Row {
  constructor(upload, onretry) {
    this.upload = upload;
    this.bar = h("progress", { max: 1, "aria-label": `Progress of ${upload.file.name}` });
    this.said = h("span", { className: "said" });
    this.retry = h("button", { type: "button", className: "quiet", "aria-label": `Try ${upload.file.name} again`, onclick: onretry }, icon("again"));
    this.node = h(
      "li",
      {},
      h("span", { className: "file", dir: "auto" }, upload.file.webkitRelativePath || upload.file.name),
      h("span", { className: "bytes" }, bytes(upload.file.size)),
      this.said,
      this.retry,
      this.bar,
    );
  }

  show() {
    const { state, progress, reason } = this.upload;
    this.node.dataset.state = state;
    const why = ["failed", "skipped"].includes(state) && sentence(reason);
    this.said.textContent = state === "sending" ? `${Math.floor(100 * progress)} %` : why || SAID[state];
    this.bar.hidden = !["sending", "reading", "queued"].includes(state);
    if (state !== "sending") this.bar.removeAttribute("value");
    else this.bar.value = progress;
    this.retry.hidden = state !== "failed";
  }
}

const sentence = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
