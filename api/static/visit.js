/** A visit: what is asked for now, kept in the address, and the way back through what was before. */

import * as address from "/static/address.js";
import { $ } from "/static/dom.js";

/** `box` is the search field, `usual` the collection that is shown when none is named. */
export class Visit {
  constructor(box) {
    this.box = box;
    this.usual = null;
    this.files = []; // query pictures: an address cannot hold them, history can point here
    this.state = address.blank();
    history.scrollRestoration = "manual";
  }

  get isSearch() {
    return Boolean(this.state.text || this.state.like.length || this.box.images.length);
  }

  get isFiltered() {
    return Boolean(this.state.filters.size || this.state.near);
  }

  get isNarrowed() {
    return this.isSearch || this.isFiltered;
  }

  /** What is asked for, apart from the hit that is open. */
  get asked() {
    return [address.write({ ...this.state, at: null }, this.usual), ...(history.state?.files ?? [])].join(" ");
  }

  /** Take the state from the address, and the pictures that only this visit knows. */
  read() {
    this.state = address.read(location.search);
    this.state.collection ??= this.usual;
    this.box.text = this.state.text;
    const own = (history.state?.files ?? []).flatMap((index) => (this.files[index] ? { file: this.files[index] } : []));
    this.box.show(this.state.collection, [...this.state.like.map((point) => ({ point })), ...own]);
  }

  /** Where nothing is named, this collection it is. */
  settle(usual) {
    this.usual = usual;
    this.state.collection ??= usual;
    this.box.show(this.state.collection, this.box.pictures);
  }

  /** A step forward: what the field says, and `change`. */
  go(change) {
    this.keepPlace();
    this.state = { ...this.state, text: this.box.text, like: this.box.like, at: null, ...change };
    for (const image of this.box.images) if (!this.files.includes(image)) this.files.push(image);
    this.#push({ files: this.box.images.map((image) => this.files.indexOf(image)) });
  }

  /** A step forward to a hit that is opened. */
  open(hit) {
    this.keepPlace();
    this.state.at = hit.id;
    this.#push({ ...history.state, viewer: true });
  }

  /** Another hit is open now; no step. */
  turn(hit) {
    this.state.at = hit.id;
    history.replaceState(history.state, "", this.#address);
  }

  /** No hit is open any more: a step back, if opening it was one forward. */
  shut() {
    const { at } = this.state;
    this.state.at = null;
    if (at && history.state?.viewer) history.back();
    else if (at) history.replaceState(history.state, "", this.#address);
  }

  /** How far the user has come, for when they come back. */
  keepPlace() {
    if ($("grid").hasAttribute("aria-busy")) return;
    const shown = $("grid").querySelectorAll(".door").length;
    history.replaceState({ ...history.state, shown, scroll: scrollY }, "");
  }

  get place() {
    return { shown: history.state?.shown ?? 0, scroll: history.state?.scroll ?? 0 };
  }

  get #address() {
    return address.write(this.state, this.usual);
  }

  #push(entry) {
    history.pushState(entry, "", this.#address);
  }
}
