/** The page: what the address says is shown; what the user does changes the address. */

import { Adding } from "/static/adding.js";
import { blank } from "/static/address.js";
import * as api from "/static/api.js";
import { Ask } from "/static/ask.js";
import { $ } from "/static/dom.js";
import { listenForDrops } from "/static/drops.js";
import { Feed } from "/static/feed.js";
import { FilterBar } from "/static/filters.js";
import { inventory } from "/static/format.js";
import { Grid } from "/static/grid.js";
import { Library } from "/static/library.js";
import { isWeak } from "/static/match.js";
import { failed, nothingFits, nothingLeft, nothingYet, notice } from "/static/notice.js";
import { MOST, pages, STEP } from "/static/pages.js";
import { SearchBox } from "/static/searchbox.js";
import { Viewer } from "/static/viewer.js";
import { Visit } from "/static/visit.js";
import { summary } from "/static/words.js";

const box = new SearchBox({ onsearch: () => go() });
const visit = new Visit(box);
const library = new Library();
const grid = new Grid({ onopen: open, onlike: like });
const feed = new Feed({ onpage: append, onwait: () => grid.await({ more: true }) });
const filters = new FilterBar({ onchange: go });
const viewer = new Viewer({ onlike: like, onnarrow: narrow, onmove: turn, onclose: closed });
const ask = new Ask({ onopen: cited, results: () => (visit.isNarrowed ? grid.hits : []) });
const adding = new Adding({ onadded: added });
const page = { ready: false, asked: null, running: new AbortController() };

start();

async function start() {
  listen();
  visit.read(); // before anything is awaited: what is typed meanwhile must stay
  grid.await();
  try {
    await library.open();
  } catch (error) {
    return fail(error);
  }
  page.ready = true;
  visit.settle(library.usual);
  $("add").hidden = !library.mayAdd;
  if (library.mayAdd) adding.begin(library.usual).catch(() => {}); // nothing else waits for these
  ask.offer().catch(() => {});
  return show();
}

function go(change = {}) {
  visit.go(change);
  return show();
}

async function show() {
  const { state } = visit;
  page.running.abort();
  page.running = new AbortController();
  const { signal } = page.running;
  page.asked = visit.asked;
  document.body.dataset.view = visit.isNarrowed ? "search" : "home";
  document.title = state.text ? `${state.text} · polylens` : "polylens";
  if (!page.ready) return;
  library.offer(state.collection);
  ask.forget(state.collection);
  if (!state.collection) return empty();
  busy(true);
  try {
    const source = pages(state, box.images, visit.isSearch, signal);
    const { shown, scroll } = visit.place;
    const first = Math.min(Math.max(STEP, shown), MOST);
    const [answer, known] = await Promise.all([source(null, first), library.about(state.collection)]);
    if (signal.aborted) return; // a newer search is on its way
    present(answer, known);
    feed.begin(source, answer.next);
    restPatience();
    scrollTo(0, scroll);
    restore();
  } catch (error) {
    if (signal.aborted) return;
    fail(error);
  }
  busy(false);
}

function present(answer, known) {
  const { hits } = answer;
  const { state, isSearch, isFiltered } = visit;
  const poor = isSearch && (!hits.length || answer.good_match === false);
  const total = inventory(known.kinds);
  $("inventory").textContent = total ? `Search ${total} by describing them, in any language.` : "";
  if (poor) notice(nothingFits(state.text, hits.length, isFiltered ? unfilter : null), answer.warnings);
  else if (hits.length) notice(null, answer.warnings);
  else notice(total ? nothingLeft(unfilter) : nothingYet(library.mayAdd && add), answer.warnings);
  $("status").textContent = poor ? "" : summary(state.text, state.like.length + box.images.length);
  filters.show(known, state);
  $("summary").hidden = !total;
  grid.show(state.collection, hits);
}

function unfilter() {
  return go({ filters: new Map(), near: null, kind: "all" });
}

function add() {
  adding.open(visit.state.collection);
}

function append(hits) {
  grid.append(visit.state.collection, hits);
  restPatience();
}

/** Pages of what hardly fits come only when asked for. */
function restPatience() {
  const last = grid.hits.at(-1);
  feed.patient = Boolean(visit.isSearch && last && isWeak(last));
}

function busy(is) {
  $("progress").hidden = !is;
  if (is) $("grid").setAttribute("aria-busy", "true");
  else $("grid").removeAttribute("aria-busy");
}

function empty() {
  $("summary").hidden = true;
  grid.show(null, []);
  notice(nothingYet(library.mayAdd && add));
}

function fail(error) {
  if (error.name === "AbortError") return;
  feed.end();
  grid.show(null, []);
  $("status").textContent = "";
  $("summary").hidden = true;
  busy(false);
  notice(failed(error, wayOut(error)));
}

/** To try again, or where a shared link names a collection that is gone, to the usual one. */
function wayOut(error) {
  const { usual } = library;
  if (error.status === 404 && usual && usual !== visit.state.collection)
    return [`Search ${usual} instead`, () => reset({ text: box.text, collection: usual })];
  return ["Try again", () => (page.ready ? show() : location.reload())];
}

/** Media came in: look again. */
async function added(collection) {
  library.forget(collection);
  if (!visit.state.collection) {
    await library.open();
    visit.settle(library.usual);
  }
  if (collection !== visit.state.collection || viewer.open) return undefined;
  visit.keepPlace();
  return show();
}

function like(hit) {
  if (viewer.open) viewer.close();
  box.show(visit.state.collection, [{ point: hit.moments?.[0]?.id ?? hit.id }]);
  go();
}

/** Everything that shares a fact. */
function narrow({ filters: chosen = new Map(), near = null }) {
  viewer.close();
  box.text = "";
  box.show(visit.state.collection, []);
  go({ filters: chosen, near, kind: "all" });
}

function open(index, seconds) {
  visit.open(grid.hits[index]);
  viewer.show(visit.state.collection, grid.hits, index, seconds);
}

/** Show what an answer rests on: among the results, or alone. */
async function cited({ id, start: seconds }) {
  const index = grid.hits.findIndex((hit) => hit.id === id || hit.moments?.some((moment) => moment.id === id));
  if (index >= 0) return open(index, seconds);
  const hit = await api.point(visit.state.collection, id).catch(fail);
  return hit && viewer.show(visit.state.collection, [hit], 0, seconds);
}

function turn(index) {
  if (viewer.hits === grid.hits) visit.turn(grid.hits[index]);
}

function closed(index) {
  visit.shut();
  if (viewer.hits === grid.hits) grid.focus(index);
}

/** Open the hit that the address names, after a reload or through a shared link; it may be further on. */
async function restore() {
  const { at, collection } = visit.state;
  if (!at || viewer.open) return;
  const index = grid.hits.findIndex((hit) => hit.id === at);
  if (index >= 0) return viewer.show(collection, grid.hits, index);
  const hit = await api.point(collection, at).catch(() => null); // it may be gone
  if (hit && at === visit.state.at) viewer.show(collection, [hit], 0);
}

function back() {
  visit.read();
  if (!visit.state.at && viewer.open) viewer.close();
  if (visit.asked === page.asked) restore();
  else show();
}

/** From the start: another collection, or none of what was asked. */
function reset(change) {
  box.show(null, []);
  go({ ...blank(), ...change });
}

function listen() {
  addEventListener("popstate", back);
  addEventListener("scrollend", () => visit.keepPlace());
  listenForDrops({
    onsearch: (files) => box.add(files),
    onadd: (files) => (add(), adding.add(files)),
    mayAdd: () => library.mayAdd,
  });
  $("add").addEventListener("click", add);
  $("collection").addEventListener("change", (event) => reset({ text: box.text, collection: event.target.value }));
  $("brand").addEventListener("click", (event) => {
    event.preventDefault();
    box.text = "";
    reset({ collection: visit.state.collection });
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog, [popover]");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      box.focus();
    } else if (event.key === "ArrowDown" && event.target.id === "query") {
      event.preventDefault();
      grid.focus(0);
    } else if (event.key === "Escape" && event.target.id === "query") {
      event.target.blur();
    }
  });
}
