/** The viewer: one hit, large, with its facts and the moments of a video. */

import { original, thumbnail } from "/static/api.js";
import { $, h, icon } from "/static/dom.js";
import { facts } from "/static/facts.js";
import { clock } from "/static/format.js";
import { isVideo, poster } from "/static/tile.js";
import { hasTimeline, slider } from "/static/timeline.js";

/** The dialog in `#viewer`; `onlike(hit)`, `onnarrow(filter)`, `onmove(index)`, `onclose(index)` tell what was chosen. */
export class Viewer {
  constructor({ onlike, onnarrow, onmove, onclose }) {
    this.node = $("viewer");
    Object.assign(this, { onlike, onnarrow, onmove });
    this.node.addEventListener("close", () => {
      this.node.replaceChildren(); // stops the video
      onclose(this.index);
    });
    this.node.addEventListener("keydown", (event) => this.#key(event));
    this.node.addEventListener("click", (event) => {
      if (event.target.classList.contains("stage")) this.close();
    });
  }

  get open() {
    return this.node.open;
  }

  close() {
    this.node.close();
  }

  /** Show a hit; a video begins at `seconds`, or at its best moment. */
  show(collection, hits, index, seconds) {
    Object.assign(this, { collection, hits, index, timeline: null });
    const hit = hits[index];
    const stage = isVideo(hit) ? this.#film(hit, seconds) : hit.kind === "text" ? text(hit) : this.#picture(hit);
    this.node.setAttribute("aria-label", hit.name || "Viewer");
    this.node.replaceChildren(this.#stage(stage), this.#panel(hit));
    if (!this.node.open) this.node.showModal();
    this.node.querySelector(".close").focus();
  }

  #move(step) {
    const next = this.index + step;
    if (next < 0 || next >= this.hits.length) return;
    this.show(this.collection, this.hits, next);
    this.onmove(next);
  }

  #key(event) {
    if (event.target.localName === "video" || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft") this.#move(-1);
    else if (event.key === "ArrowRight") this.#move(1);
  }

  #stage(content) {
    const turn = (name, label, step, possible) =>
      h(
        "button",
        { type: "button", className: `turn ${name}`, "aria-label": label, disabled: !possible, onclick: () => this.#move(step) },
        icon(name),
      );
    return h(
      "div",
      { className: "stage" },
      content,
      turn("left", "Previous", -1, this.index > 0),
      turn("right", "Next", 1, this.index < this.hits.length - 1),
      h(
        "button",
        { type: "button", className: "close", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.close() },
        icon("close"),
      ),
    );
  }

  #picture(hit) {
    const small = thumbnail(this.collection, hit.id);
    const picture = h("img", { className: "media", src: small, alt: hit.name ?? "" });
    if (hit.width) picture.style.setProperty("--ratio", hit.width / hit.height);
    const large = new Image();
    large.addEventListener("load", () => (picture.src = large.src));
    large.src = thumbnail(this.collection, hit.id, "screen");
    return picture;
  }

  #film(hit, seconds) {
    const video = h("video", {
      className: "media",
      controls: true,
      playsInline: true,
      preload: "metadata",
      poster: thumbnail(this.collection, poster(hit), "screen"),
      src: original(this.collection, hit.id),
      onerror: () => video.parentNode.replaceWith(this.#still(hit)),
      ontimeupdate: () => this.#mark(video.currentTime),
    });
    this.video = video;
    const start = seconds ?? hit.moments?.[0]?.start ?? hit.start ?? 0;
    video.addEventListener("loadedmetadata", () => this.#play(start), { once: true });
    if (hasTimeline(hit)) this.timeline = slider(hit, (to) => this.#seek(to));
    return h("div", { className: "film" }, video, this.timeline);
  }

  #seek(seconds) {
    this.video.currentTime = seconds;
    this.#mark(seconds);
  }

  #play(seconds) {
    this.#seek(seconds);
    this.video.play().catch(() => {}); // where autoplay is refused, the controls are there
  }

  /** What is left of a video that this browser cannot play, or that has changed since. */
  #still(hit) {
    return h(
      "figure",
      { className: "still" },
      h("img", { className: "media", src: thumbnail(this.collection, poster(hit), "screen"), alt: hit.name ?? "" }),
      h("figcaption", {}, "This browser cannot play the video, or the file has changed. Here is its frame."),
    );
  }

  #panel(hit) {
    const openable = hit.kind !== "text" && h("a", { href: original(this.collection, hit.id), target: "_blank", rel: "noopener" }, icon("open"), "Open original");
    return h(
      "div",
      { className: "panel" },
      h("h2", { dir: "auto" }, hit.name || "Untitled"),
      hit.caption ? h("p", { className: "caption", dir: "auto" }, String(hit.caption)) : null,
      facts(hit, this.onnarrow),
      hit.moments?.length ? this.#moments(hit) : null,
      h(
        "div",
        { className: "actions" },
        h("button", { type: "button", className: "primary", onclick: () => this.onlike(hit) }, icon("like"), "More like this"),
        openable || null,
      ),
    );
  }

  #moments(hit) {
    const jump = (moment) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", "aria-label": `Play from ${clock(moment.start)}`, onclick: () => this.#play(moment.start) },
          h("img", { src: thumbnail(this.collection, moment.id), alt: "", loading: "lazy" }),
          h("span", {}, `${clock(moment.start)} – ${clock(moment.end)}`),
        ),
      );
    this.moments = [...hit.moments].sort((a, b) => a.start - b.start);
    return h(
      "section",
      {},
      h("h3", {}, hit.moments.length === 1 ? "The moment" : "Moments"),
      h("ol", { className: "moments" }, ...this.moments.map(jump)),
    );
  }

  /** Light up the moment that is playing. */
  #mark(time) {
    this.timeline?.mark(time);
    this.node.querySelectorAll(".moments button").forEach((button, i) => {
      const { start, end } = this.moments[i];
      if (time >= start && time < end) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
  }
}

const text = (hit) => h("blockquote", { className: "media passage", dir: "auto" }, hit.text || hit.name);
