/** Files on their way to the service, a few at a time, each with its progress. */

import { ApiError, assets, openSession } from "/static/api.js";

const AT_ONCE = 2;
const BUSY = ["waiting", "sending", "reading", "queued"];

/** A queue of uploads; `onchange(upload)` whenever one moves, `onqueued(job)` when a job is to read one. */
export class Uploads {
  constructor({ onchange, onqueued }) {
    Object.assign(this, { onchange, onqueued });
    this.list = [];
    this.running = 0;
  }

  /** An upload is { file, state, progress, reason }; states: waiting, sending, reading, queued, and outcomes. */
  add(collection, files) {
    for (const file of files.filter(({ name }) => !name.startsWith("."))) {
      const upload = { collection, file, state: "waiting", progress: 0, reason: "" };
      this.list.push(upload);
      this.onchange(upload);
    }
    this.#next();
  }

  get left() {
    return this.list.filter(isBusy).length;
  }

  count(state) {
    return this.list.filter((upload) => upload.state === state).length;
  }

  /** Give up what has not been read yet. */
  cancel() {
    for (const upload of this.list) {
      if (upload.state === "waiting") this.#move(upload, "failed", "Cancelled.");
      upload.request?.abort();
    }
  }

  /** A job is over that was to read some of them; `failures` are those of its files that it could not use. */
  settle(job, failures) {
    for (const upload of this.list.filter((queued) => queued.job === job.id && queued.state === "queued")) {
      const failure = failures.find(({ asset }) => asset === upload.asset);
      const outcome = job.counts.done ? "done" : "unchanged";
      this.#move(upload, failure ? failure.status : job.state === "done" ? outcome : "failed", failure?.reason ?? job.error);
    }
  }

  retry(upload) {
    this.#move(upload, "waiting", "");
    this.#next();
  }

  clear() {
    this.list = this.list.filter(isBusy);
  }

  #next() {
    while (this.running < AT_ONCE) {
      const upload = this.list.find(({ state }) => state === "waiting");
      if (!upload) return;
      this.running += 1;
      this.#send(upload).finally(() => {
        this.running -= 1;
        this.#next();
      });
    }
  }

  async #send(upload) {
    this.#move(upload, "sending");
    try {
      const { items: [item], job } = await post(upload, (progress) => {
        upload.progress = progress;
        this.#move(upload, progress < 1 ? "sending" : "reading");
      });
      Object.assign(upload, { job, asset: item.asset });
      this.#move(upload, item.status, item.reason);
      if (item.status === "queued") this.onqueued(job);
    } catch (error) {
      if (error.status === 401) {
        await openSession();
        this.#move(upload, "waiting");
      } else this.#move(upload, "failed", error.message);
    }
  }

  #move(upload, state, reason = "") {
    Object.assign(upload, { state, reason });
    this.onchange(upload);
  }
}

const isBusy = ({ state }) => BUSY.includes(state);

/** `fetch` tells nothing of what it has sent; the older interface does. */
function post(upload, onprogress) {
  const form = new FormData();
  form.append("files", upload.file);
  const request = (upload.request = new XMLHttpRequest());
  return new Promise((resolve, reject) => {
    const refuse = (detail) => reject(new ApiError(request.status, { detail }));
    request.upload.addEventListener("progress", (event) => onprogress(event.loaded / event.total));
    request.upload.addEventListener("load", () => onprogress(1));
    request.addEventListener("error", () => refuse("The connection broke off."));
    request.addEventListener("abort", () => refuse("Cancelled."));
    request.addEventListener("load", () => {
      const answer = request.response ?? {};
      if (request.status < 300) resolve(answer);
      else refuse(answer.detail ?? answer.title);
    });
    request.open("POST", assets(upload.collection));
    request.responseType = "json";
    request.send(form);
  });
}
