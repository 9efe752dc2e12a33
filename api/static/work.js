/** What the service is at work on: a pill in the bar, and a list in the dialog that adds media. */

import * as api from "/static/api.js";
import { $, h, icon } from "/static/dom.js";
import { count, span } from "/static/format.js";
import { Jobs } from "/static/jobs.js";

const FAILURES = 20; // shown of a job

/** `onopen()` when the pill is pressed; `onend(job)` when a job is over. */
export class Work {
  constructor({ onopen, onend }) {
    this.rows = new Map();
    this.onend = onend;
    this.jobs = new Jobs({ onchange: (jobs) => this.#show(jobs), onend: (job) => this.#end(job) });
    $("work").addEventListener("click", onopen);
  }

  look() {
    return this.jobs.look();
  }

  expect(job) {
    return this.jobs.expect(job);
  }

  /** Ingest a folder of the server. */
  async begin(collection, path) {
    this.jobs.begun(await api.submitJob(collection, path));
  }

  /** Leave only what is going on. */
  tidy() {
    for (const [id, row] of this.rows) {
      if (!row.job.is_over) continue;
      row.node.remove();
      this.rows.delete(id);
    }
  }

  #show(jobs) {
    for (const job of jobs) this.#row(job).show(job);
    const { counts } = jobs[0] ?? { counts: {} };
    $("work").hidden = !jobs.length;
    $("work-said").textContent = counts.total ? `${worked(counts).toLocaleString()} of ${counts.total.toLocaleString()}` : "Adding";
    $("work").setAttribute("aria-label", `Adding media: ${count(jobs.length, "job", "jobs")} under way`);
    $("work").style.setProperty("--done", share(counts) ?? 0);
  }

  async #end(job) {
    this.#row(job).show(job);
    this.onend(job);
    if (job.counts.failed) this.#row(job).tell(await api.failures(job.id, FAILURES).catch(() => []));
  }

  #row(job) {
    if (!this.rows.has(job.id)) {
      const row = new JobRow(() => api.cancelJob(job.id).then(() => this.look()).catch((error) => row.say(error.message)));
      this.rows.set(job.id, row);
      $("jobs").append(row.node);
    }
    return this.rows.get(job.id);
  }
}

const worked = ({ done, unchanged, skipped, failed }) => done + unchanged + skipped + failed;
const share = (counts) => (counts.total ? worked(counts) / counts.total : undefined);

/** One job: where it reads, how far it is, and what it could not use. */
class JobRow {
  constructor(oncancel) {
    this.name = h("span", { className: "file", dir: "auto" });
    this.said = h("span", { className: "said" });
    this.cancel = h("button", { type: "button", className: "quiet", "aria-label": "Stop this job", onclick: oncancel }, icon("close"));
    this.bar = h("progress", { max: 1, "aria-label": "Progress" });
    this.node = h("li", {}, this.name, this.said, this.cancel, this.bar);
  }

  show(job) {
    this.job = job;
    this.name.textContent = title(job);
    this.node.dataset.state = job.state;
    this.cancel.hidden = this.bar.hidden = job.is_over;
    this.bar.setAttribute("aria-label", `Progress of ${title(job)}`);
    const done = share(job.counts);
    if (done === undefined) this.bar.removeAttribute("value");
    else this.bar.value = done;
    this.say(job.is_over ? outcome(job) : progress(job));
  }

  say(words) {
    this.said.textContent = words;
  }

  /** The files that could not be used, and why. */
  tell(failures) {
    if (!failures.length) return;
    const lines = failures.map(({ asset, reason }) => h("li", { dir: "auto" }, `${nameOf(asset)}: ${reason}`));
    this.node.append(h("details", {}, h("summary", {}, "What failed"), h("ul", {}, ...lines)));
  }
}

function progress({ state, counts, eta, waiting }) {
  if (state === "queued") return "Waiting for its turn";
  if (waiting) return waiting;
  if (!counts.total) return counts.found ? `${count(counts.found, "file", "files")} found` : "Looking";
  const left = eta ? `, ${span(eta)} left` : "";
  return `${worked(counts).toLocaleString()} of ${counts.total.toLocaleString()}${left}`;
}

function outcome({ state, counts, error }) {
  if (state === "failed") return error || "Failed";
  const parts = [[counts.done, "added"], [counts.unchanged, "already here"], [counts.skipped, "skipped"], [counts.failed, "failed"]];
  const said = parts.filter(([n]) => n).map(([n, what]) => `${n.toLocaleString()} ${what}`).join(", ");
  const how = { cancelled: "Stopped", stopped: "Stopped", interrupted: "Broken off" }[state];
  return [how, said].filter(Boolean).join(": ") || "Nothing to add";
}

function title({ sources, collection }) {
  const uploads = sources.every((source) => source.startsWith("media:"));
  const what = uploads ? count(sources.length, "upload", "uploads") : sources.map(nameOf).join(", ");
  return `${what} → ${collection}`;
}

/** The end of a URI, as people know it. */
function nameOf(uri) {
  const text = uri.split("/").filter(Boolean).at(-1) ?? uri;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
