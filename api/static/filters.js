/** The filter bar: what to show of photos and videos, and a pill for each field that helps. */

import { $, h, icon } from "/static/dom.js";
import { label, shown, useful } from "/static/fields.js";
import { dayOf, place } from "/static/format.js";
import { Menu } from "/static/menu.js";

const CHOICES = [["all", "All"], ["image", "Photos"], ["video", "Videos"]];

/** `onchange({ kind | filters | near })` tells what was chosen. */
export class FilterBar {
  constructor({ onchange }) {
    this.onchange = onchange;
    this.menu = new Menu({ onchange: (key, filter) => this.#set(key, filter) });
  }

  /** `known` is what the collection has: { kinds, fields, points, sampled }; `state` that of the address. */
  show(known, state) {
    Object.assign(this, { known, state });
    this.#kinds(known.kinds);
    const fields = useful(known, state.filters);
    const pills = fields.map((field) => this.#pill(field));
    const unknown = [...state.filters.keys()].filter((key) => !fields.some((field) => field.key === key));
    pills.push(...unknown.map((key) => this.#bare(label(key), () => this.#set(key, null))));
    if (state.near) pills.push(this.#bare(`Near ${place(state.near.lat, state.near.lon)}`, () => this.onchange({ near: null })));
    if (state.filters.size + Boolean(state.near) > 1)
      pills.push(h("button", { type: "button", className: "clear", onclick: () => this.onchange({ filters: new Map(), near: null }) }, "Clear all"));
    $("pills").replaceChildren(...pills);
    $("filters").hidden = $("kinds").hidden && !pills.length;
    this.menu.refresh((key) => this.#subject(key));
  }

  #kinds(kinds) {
    $("kinds").hidden = !(kinds.image && kinds.video) && this.state.kind === "all";
    $("kinds").replaceChildren(
      ...CHOICES.map(([kind, name]) =>
        h("button", { type: "button", "aria-pressed": String(kind === this.state.kind), onclick: () => this.onchange({ kind }) }, name),
      ),
    );
  }

  #subject(key) {
    const field = this.known.fields.find((known) => known.key === key);
    return field && { field, filter: this.state.filters.get(key) ?? {}, counted: !this.known.sampled };
  }

  #pill(field) {
    const filter = this.state.filters.get(field.key);
    const button = h(
      "button",
      {
        type: "button",
        className: filter ? "pill on" : "pill",
        "aria-haspopup": "dialog",
        "data-key": field.key,
        onclick: () => this.menu.toggle(button, this.#subject(field.key)),
      },
      h("span", { dir: "auto" }, filter ? said(field, filter) : label(field.key)),
      icon("down"),
    );
    return button;
  }

  /** A filter that can only be taken away. */
  #bare(name, onremove) {
    return h("button", { type: "button", className: "pill on", "aria-label": `${name}, remove`, onclick: onremove }, h("span", {}, name), icon("close"));
  }

  #set(key, filter) {
    const filters = new Map(this.state.filters);
    if (filter) filters.set(key, filter);
    else filters.delete(key);
    this.onchange({ filters });
  }
}

/** A filter in a few words, for its pill. */
function said(field, { is, from, to }) {
  if (is) return is.length > 1 ? `${label(field.key)}: ${is.length}` : shown(field, typeof field.values[0]?.value === "boolean" ? is[0] === "true" : is[0]);
  const end = field.type === "time" ? dayOf : String;
  const year = from?.slice(0, 4);
  if (field.type === "time" && from === `${year}-01-01` && to === `${year}-12-31`) return year;
  if (from && to) return from === to ? end(from) : `${end(from)} – ${end(to)}`;
  return from ? `From ${end(from)}` : `Until ${end(to)}`;
}
