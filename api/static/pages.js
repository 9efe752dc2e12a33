/** Where hits come from, a page at a time: a search, or all there is. */

import { KINDS, STORED } from "/static/address.js";
import * as api from "/static/api.js";
import { tree } from "/static/filter.js";
import { parse } from "/static/words.js";

export const STEP = 48; // hits a page
export const MOST = 240; // hits of the first page, where one comes back to a long walk

/** `(cursor, limit)` -> { hits, next, warnings, good_match }; what was asked with is left out. */
export function pages(state, images, isSearch, signal) {
  const { collection, kind, like } = state;
  const kinds = isSearch ? KINDS[kind] : STORED.filter((stored) => kind === "all" || stored === kind);
  const query = { ...parse(state.text), like, images, filter: tree(kinds, state) };
  const ask = isSearch ? api.search : api.browse;
  const isAsked = (hit) => like.includes(hit.id) || hit.moments?.some(({ id }) => like.includes(id));
  return async (cursor, limit = STEP) => {
    const answer = await ask(collection, query, { limit, cursor }, signal);
    return { ...answer, hits: answer.hits.filter((hit) => !isAsked(hit)) };
  };
}
