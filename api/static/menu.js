/** The menu of one filter: values to tick, years and days, or numbers from and to. */

import { $, h } from "/static/dom.js";
import { label, shown } from "/static/fields.js";

const MANY = 9; // from so many values on, they can be searched
const YEARS = 12;

/** The popover `#menu`; `onchange(key, filter)` with null where nothing is chosen any more. */
export class Menu {
  constructor({ onchange }) {
    this.node = $("menu");
    this.onchange = onchange;
    this.node.addEventListener("toggle", (event) => {
      if (event.newState === "closed") this.#closed();
    });
  }

  /** Open below `button` for a subject { field, filter, counted }, or close. */
  toggle(button, subject) {
    if (this.key === subject.field.key) return this.node.hidePopover();
    this.key = subject.field.key;
    this.#fill(subject);
    this.node.showPopover();
    this.#place(button);
    this.node.querySelector("input, button")?.focus();
    return undefined;
  }

  /** The pills were made anew: keep what stands in the open menu true. */
  refresh(subjectOf) {
    const subject = this.key && subjectOf(this.key);
    if (!subject) return;
    const focused = document.activeElement?.getAttribute("data-choice");
    const wanted = this.node.querySelector(".find")?.value;
    this.#fill(subject, wanted);
    if (focused) this.node.querySelector(`[data-choice="${CSS.escape(focused)}"]`)?.focus();
    this.#pill()?.setAttribute("aria-expanded", "true");
  }

  #pill() {
    return $("pills").querySelector(`[data-key="${CSS.escape(this.key)}"]`);
  }

  #closed() {
    const pill = this.#pill();
    const inside = this.node.contains(document.activeElement) || document.activeElement === document.body;
    pill?.setAttribute("aria-expanded", "false");
    this.key = null;
    if (inside) pill?.focus();
  }

  #place(button) {
    button.setAttribute("aria-expanded", "true");
    const [box, edge] = [button.getBoundingClientRect(), 12];
    const left = Math.min(Math.max(box.left, edge), innerWidth - this.node.offsetWidth - edge);
    this.node.style.left = `${left}px`;
    this.node.style.top = `${box.bottom + 8}px`;
    this.node.style.maxHeight = `${Math.max(innerHeight - box.bottom - 24, 240)}px`;
  }

  #fill(subject, wanted = "") {
    const { field, filter } = subject;
    const content = field.type === "time" ? this.#days(subject) : this.#isRange(field) ? this.#numbers(subject) : this.#values(subject, wanted);
    const clear = h("button", { type: "button", className: "clear", onclick: () => this.#change(null) }, "Clear");
    this.node.setAttribute("aria-label", label(field.key));
    this.node.replaceChildren(...content, ...(Object.keys(filter).length ? [clear] : []));
  }

  #isRange = (field) => field.type === "number" && (field.distinct > 12 || field.values.some(({ value }) => !Number.isInteger(value)));

  #change(filter) {
    this.onchange(this.key, filter && Object.values(filter).some((value) => value?.length) ? filter : null);
  }

  #values({ field, filter, counted }, wanted) {
    const chosen = filter.is ?? [];
    const known = field.values.map(({ value }) => String(value));
    const rows = [
      ...chosen.filter((value) => !known.includes(value)).map((value) => ({ value })),
      ...field.values,
    ].map(({ value, points }) => option(field, value, points && counted ? points : null, chosen.includes(String(value)), (on) => {
      const others = chosen.filter((other) => other !== String(value));
      this.#change({ is: on ? [...others, String(value)] : others });
    }));
    const list = h("div", { className: "options", role: "group", "aria-label": label(field.key) }, ...rows);
    if (rows.length < MANY) return [list];
    const find = () => rows.forEach((row) => (row.hidden = !row.textContent.toLowerCase().includes(box.value.trim().toLowerCase())));
    const box = h("input", { type: "search", className: "find", placeholder: "Find", "aria-label": `Find in ${label(field.key)}`, value: wanted, oninput: find });
    find();
    return [box, list];
  }

  #days({ field, filter }) {
    const [first, last] = [field.min, field.max].map((time) => Number(time.slice(0, 4)));
    const years = Array.from({ length: Math.min(last - first + 1, YEARS) }, (_, i) => String(last - i));
    const is = (year) => filter.from === `${year}-01-01` && filter.to === `${year}-12-31`;
    const buttons = years.map((year) =>
      h(
        "button",
        { type: "button", className: "year", "aria-pressed": String(is(year)), "data-choice": year, onclick: () => this.#change(is(year) ? null : { from: `${year}-01-01`, to: `${year}-12-31` }) },
        year,
      ),
    );
    const limits = { min: field.min.slice(0, 10), max: field.max.slice(0, 10) };
    return [h("div", { className: "years" }, ...buttons), this.#ends(filter, { type: "date", ...limits })];
  }

  #numbers({ field, filter }) {
    return [this.#ends(filter, { type: "number", step: "any", inputMode: "decimal" }, [field.min, field.max])];
  }

  #ends(filter, attributes, hints = []) {
    const end = (name, text, hint) =>
      h(
        "label",
        {},
        h("span", {}, text),
        h("input", { ...attributes, value: filter[name] ?? "", placeholder: hint ?? "", "data-choice": name, onchange: (event) => this.#change({ ...filter, is: undefined, [name]: event.target.value }) }),
      );
    return h("div", { className: "ends" }, end("from", "From", hints[0]), end("to", "To", hints[1]));
  }
}

function option(field, value, points, checked, onchange) {
  const box = h("input", { type: "checkbox", checked, "data-choice": String(value), onchange: () => onchange(box.checked) });
  return h(
    "label",
    { className: "option" },
    box,
    h("span", { dir: "auto" }, shown(field, value)),
    points ? h("span", { className: "count" }, points.toLocaleString()) : null,
  );
}
