/** The results: rows of pictures at one height, walked with the arrow keys. */

import { original, thumbnail } from "/static/api.js";
import { $, h, icon } from "/static/dom.js";
import { clock } from "/static/format.js";

const [NARROWEST, WIDEST] = [0.6, 2.4]; // aspect ratios a tile may have; the rest is cropped

export const isVideo = (hit) => hit.kind === "video" || hit.kind === "segment";

/** The grid in `#grid`; `onopen(index)` and `onlike(hit)` tell what was chosen. */
export class Grid {
  constructor({ onopen, onlike }) {
    this.node = $("grid");
    this.hits = [];
    this.onopen = onopen;
    this.onlike = onlike;
    this.node.addEventListener("keydown", (event) => this.#key(event));
  }

  show(collection, hits) {
    this.hits = [];
    this.node.replaceChildren();
    this.append(collection, hits);
  }

  append(collection, hits) {
    const start = this.hits.length;
    this.hits.push(...hits);
    this.node.append(...hits.map((hit, i) => this.#tile(collection, hit, start + i)));
    this.#roving(this.#doors().findIndex((door) => door.tabIndex === 0));
  }

  /** Grey tiles while the first answer is on its way. */
  await() {
    this.hits = [];
    const ratios = [1.5, 0.75, 1.33, 1.78, 1, 1.5, 0.67, 1.33, 1.5, 1.78, 1, 1.33];
    this.node.replaceChildren(...ratios.map((ratio) => shaped(h("li", { className: "tile waiting" }), ratio)));
  }

  focus(index) {
    this.#doors()[index]?.focus();
  }

  #tile(collection, hit, index) {
    const name = hit.name || "Untitled";
    const picture = h("img", {
      src: thumbnail(collection, poster(hit)),
      alt: "",
      loading: "lazy",
      decoding: "async",
      onload: (event) => event.target.classList.add("ready"),
      onerror: (event) => event.target.closest(".tile").classList.add("missing"),
    });
    const door = h(
      "button",
      {
        type: "button",
        className: "door",
        tabIndex: -1,
        "aria-label": label(hit, name),
        onclick: () => this.onopen(index),
        onfocus: () => this.#roving(index),
      },
      picture,
      isVideo(hit) ? badge(hit) : null,
      h("span", { className: "name", dir: "auto" }, name),
    );
    const like = h(
      "button",
      {
        type: "button",
        className: "like",
        tabIndex: -1,
        title: "More like this",
        "aria-label": `More like ${name}`,
        onclick: () => this.onlike(hit),
      },
      icon("like"),
    );
    const className = hit.good_match === false ? "tile faint" : "tile";
    return shaped(h("li", { className }, door, like), ratio(hit));
  }

  #doors() {
    return [...this.node.querySelectorAll(".door")];
  }

  /** One tile takes part in the tab order; the arrow keys move among the rest. */
  #roving(index) {
    this.#doors().forEach((door, i) => (door.tabIndex = i === Math.max(0, index) ? 0 : -1));
  }

  #key(event) {
    const doors = this.#doors();
    const here = doors.indexOf(document.activeElement);
    if (here < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = target(event.key, here, doors);
    if (event.key === "m") this.onlike(this.hits[here]);
    if (next === undefined) return;
    event.preventDefault();
    doors[next].focus();
    doors[next].scrollIntoView({ block: "nearest" });
  }
}

/** The point whose thumbnail stands for a hit: the frame of its best moment, for a video. */
export const poster = (hit) => hit.moments?.[0]?.id ?? hit.id;

export { original, thumbnail };

function target(key, here, doors) {
  const rtl = document.dir === "rtl" ? -1 : 1;
  const steps = { ArrowLeft: -rtl, ArrowRight: rtl };
  if (key in steps) return clamp(here + steps[key], doors);
  if (key === "Home") return 0;
  if (key === "End") return doors.length - 1;
  if (key === "ArrowDown") return beside(here, doors, 1);
  if (key === "ArrowUp") return beside(here, doors, -1);
  return undefined;
}

const clamp = (index, doors) => Math.min(Math.max(index, 0), doors.length - 1);

/** The tile in the next row (or the one before) whose centre is nearest. */
function beside(here, doors, direction) {
  const boxes = doors.map((door) => door.getBoundingClientRect());
  const middle = (box) => box.left + box.width / 2;
  const rows = boxes.map((box) => Math.round(box.top)).filter((top) => (top - Math.round(boxes[here].top)) * direction > 8);
  if (!rows.length) return here;
  const row = direction > 0 ? Math.min(...rows) : Math.max(...rows);
  const inRow = boxes.map((_, i) => i).filter((i) => Math.abs(boxes[i].top - row) <= 8);
  const distance = (i) => Math.abs(middle(boxes[i]) - middle(boxes[here]));
  return inRow.reduce((best, i) => (distance(i) < distance(best) ? i : best));
}

function shaped(tile, aspect) {
  tile.style.setProperty("--ratio", Math.min(Math.max(aspect, NARROWEST), WIDEST));
  return tile;
}

const ratio = (hit) => (hit.width && hit.height ? hit.width / hit.height : 4 / 3);

function label(hit, name) {
  if (!isVideo(hit)) return name;
  const moment = hit.moments?.[0];
  return moment ? `${name}, video, best moment at ${clock(moment.start)}` : `${name}, video`;
}

function badge(hit) {
  const moment = hit.moments?.[0];
  const time = moment ? clock(moment.start) : clock(hit.duration ?? 0);
  const others = (hit.moments?.length ?? 1) - 1;
  return h(
    "span",
    { className: "badge", "aria-hidden": "true" },
    icon("play"),
    h("span", {}, time),
    others > 0 ? h("span", { className: "others" }, `+${others}`) : null,
  );
}
