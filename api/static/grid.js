/** The results: rows of tiles at one height, walked with the arrow keys. */

import { $, h } from "/static/dom.js";
import { isWeak } from "/static/match.js";
import { tile, waiting } from "/static/tile.js";

/** The grid in `#grid`; `onopen(index, seconds)` and `onlike(hit)` tell what was chosen. */
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
    this.node.querySelectorAll(".waiting").forEach((node) => node.remove());
    const doors = this.#doors();
    const here = doors.findIndex((door) => door.tabIndex === 0);
    for (const hit of hits) this.#add(collection, hit);
    this.#roving(here);
  }

  /** Grey tiles while the first answer, or the next page, is on its way. */
  await({ more = false } = {}) {
    if (more) return this.node.append(...waiting(6));
    this.hits = [];
    return this.node.replaceChildren(...waiting());
  }

  focus(index) {
    this.#doors()[index]?.focus();
  }

  /** A line parts the likely from the rest, where both are there. */
  #add(collection, hit) {
    const index = this.hits.length;
    if (index && isWeak(hit) && !isWeak(this.hits[index - 1]) && !this.node.querySelector(".divider"))
      this.node.append(h("li", { className: "filler", "aria-hidden": "true" }), h("li", { className: "divider" }, "Less certain"));
    this.hits.push(hit);
    const node = tile(collection, hit, {
      onopen: (seconds) => this.onopen(index, seconds),
      onlike: () => this.onlike(hit),
      onfocus: () => this.#roving(index),
    });
    this.node.append(node);
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
