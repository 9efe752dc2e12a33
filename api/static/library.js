/** The collections: which there are, what each holds, and what the user may do with them. */

import * as api from "/static/api.js";
import { STORED } from "/static/address.js";
import { $, h } from "/static/dom.js";

const NONE = { fields: [], points: 0, sampled: false }; // a search goes on without filters

export class Library {
  constructor() {
    this.known = new Map();
    this.scope = "read";
    this.usual = null;
  }

  async open() {
    const [listed, session] = await Promise.all([api.listCollections(), api.session()]);
    Object.assign(this, { collections: listed.collections, usual: listed.default, scope: session.scope });
  }

  /** To make the first collection takes more than to add to one. */
  get mayAdd() {
    return this.scope === "admin" || (this.scope === "write" && this.usual !== null);
  }

  /** What a collection holds, asked once: { kinds, fields, points, sampled }. */
  about(collection) {
    if (!this.known.has(collection)) {
      const asked = Promise.all([api.describe(collection), api.fields(collection, STORED).catch(() => NONE)]);
      this.known.set(collection, asked.then(([about, fields]) => ({ kinds: about.kinds, ...fields })));
      asked.catch(() => this.known.delete(collection));
    }
    return this.known.get(collection);
  }

  forget(collection) {
    this.known.delete(collection);
  }

  /** The choice of collection, where there is one. */
  offer(shown) {
    const names = this.collections.map(({ name }) => name);
    if (shown && !names.includes(shown)) names.push(shown); // an alias
    $("switcher").hidden = names.length < 2;
    $("collection").replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    $("collection").value = shown ?? "";
  }
}
