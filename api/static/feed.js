/** Results a page at a time: more come as the user scrolls near the end, or by the button. */

import { $ } from "/static/dom.js";

/** Pages from `source(cursor)` -> { hits, next } go to `onpage(hits)`; `onwait()` as one is asked for. */
export class Feed {
  constructor({ onpage, onwait }) {
    this.button = $("more");
    this.onpage = onpage;
    this.onwait = onwait;
    this.button.addEventListener("click", () => this.more());
    this.watcher = new IntersectionObserver(([seen]) => seen.isIntersecting && this.eager && this.more(), {
      rootMargin: "0px 0px 900px",
    });
  }

  /** Go on after a first page; `eager` ones follow without being asked for. */
  begin(source, next) {
    Object.assign(this, { source, next, busy: false, eager: true });
    this.button.textContent = "Show more";
    this.#offer();
  }

  end() {
    this.begin(null, null);
  }

  /** Whether the next page comes by itself; asked for by the button it comes always. */
  set patient(value) {
    this.eager = !value;
    if (value) this.button.textContent = "Show more, less certain";
  }

  async more() {
    const { source } = this;
    if (!this.next || this.busy) return;
    this.busy = true;
    this.onwait();
    try {
      const page = await source(this.next);
      if (source !== this.source) return; // a newer search began
      this.next = page.next;
      this.onpage(page.hits);
      this.button.textContent = "Show more";
    } catch (error) {
      if (source !== this.source || error.name === "AbortError") return;
      this.onpage([]);
      this.eager = false;
      this.button.textContent = `${error.message} Try again`;
    }
    this.busy = false;
    this.#offer();
  }

  /** Watching anew tells at once whether the end is still near. */
  #offer() {
    this.button.hidden = !this.next;
    this.watcher.unobserve(this.button);
    if (this.next) this.watcher.observe(this.button);
  }
}
