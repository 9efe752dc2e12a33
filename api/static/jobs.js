/** The jobs of the service that are not over, as they go on; the oldest is followed closely. */

import * as api from "/static/api.js";

const LATEST = 50;
const PATIENCE = 2_000; // milliseconds between looks where a job cannot be followed

/** `onchange(jobs)` whenever one got further, the oldest first; `onend(job)` for each that is over. */
export class Jobs {
  constructor({ onchange, onend }) {
    Object.assign(this, { onchange, onend, running: new Map(), events: null });
  }

  /** Look which there are; to be called where one was begun. */
  async look() {
    const { jobs } = await api.listJobs(LATEST);
    const before = this.running;
    this.running = new Map(jobs.filter((job) => !job.is_over).reverse().map((job) => [job.id, job]));
    const gone = [...before.keys()].filter((id) => !this.running.has(id));
    this.onchange([...this.running.values()]);
    this.#follow();
    for (const id of gone) this.onend(jobs.find((job) => job.id === id) ?? (await api.describeJob(id)));
  }

  /** A job that was begun elsewhere, and may be over by now. */
  expect(id) {
    if (!this.running.has(id)) this.running.set(id, { id });
    return this.look();
  }

  /** A job that was begun just now. */
  begun(job) {
    this.running.set(job.id, job);
    this.onchange([...this.running.values()]);
    this.#follow();
  }

  #follow() {
    const [first] = this.running.values();
    if (this.events?.job === first?.id) return;
    this.events?.close();
    this.events = null;
    if (!first) return;
    const events = (this.events = new EventSource(api.jobEvents(first.id)));
    events.job = first.id;
    events.addEventListener("progress", (event) => {
      this.running.set(first.id, JSON.parse(event.data));
      this.onchange([...this.running.values()]);
    });
    events.addEventListener("end", () => this.#again(events, 0));
    events.addEventListener("error", () => {
      if (events.readyState === EventSource.CLOSED) this.#again(events, PATIENCE);
    });
  }

  /** One stream is over: look which job is next. */
  #again(events, wait) {
    events.close();
    if (this.events === events) this.events = null;
    setTimeout(() => this.look().catch(() => this.#again(events, PATIENCE)), wait);
  }
}
