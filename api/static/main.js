/** The page: what the address says is shown; what the user does changes the address. */

import * as api from "/static/api.js";
import { $, h } from "/static/dom.js";
import { inventory } from "/static/format.js";
import { Grid } from "/static/grid.js";
import { SearchBox } from "/static/searchbox.js";
import { Viewer } from "/static/viewer.js";

const STEP = 48;
const MOST = 240;
const KINDS = { all: ["image", "video", "segment", "text"], image: ["image"], video: ["video", "segment"] };

const page = { ready: false, collections: [], fallback: null, collection: null, kind: "all", limit: STEP, after: null, at: null };
const pictures = []; // query pictures of this visit: an address cannot hold them, history can point here
let running = new AbortController();

const box = new SearchBox({ onsearch: () => go({ limit: STEP }) });
const grid = new Grid({ onopen: open, onlike: like });
const viewer = new Viewer({ onlike: like, onmove: (index) => remember(index), onclose: closed });

start();

async function start() {
  listen();
  read(); // before anything is awaited: what is typed meanwhile must stay
  grid.await();
  try {
    const known = await api.listCollections();
    page.collections = known.collections;
    page.fallback = known.default;
  } catch (error) {
    return fail(error);
  }
  page.ready = true;
  page.collection ??= page.fallback;
  offerCollections();
  return show();
}

/** Take the state from the address. */
function read() {
  const query = new URLSearchParams(location.search);
  page.collection = query.get("c") ?? page.fallback;
  $("collection").value = page.collection;
  page.kind = query.get("kind") in KINDS ? query.get("kind") : "all";
  page.limit = Math.min(Number(query.get("n")) || STEP, MOST);
  page.at = query.get("at");
  box.text = query.get("q") ?? "";
  const picture = pictures[history.state?.picture];
  if (!picture) box.setLike(page.collection, query.get("like"));
  else if (picture !== box.image) box.setImage(picture);
}

/** Put the state into the address, so that it can be shared and walked back. */
function go(change) {
  Object.assign(page, { at: null }, change);
  if (box.image && !pictures.includes(box.image)) pictures.push(box.image);
  history.pushState({ picture: pictures.indexOf(box.image) }, "", address());
  return show();
}

function address() {
  const query = new URLSearchParams();
  if (box.text) query.set("q", box.text);
  if (box.like) query.set("like", box.like);
  if (page.collection && page.collection !== page.fallback) query.set("c", page.collection);
  if (page.kind !== "all") query.set("kind", page.kind);
  if (page.limit !== STEP) query.set("n", page.limit);
  if (page.at) query.set("at", page.at);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

async function show() {
  running.abort();
  running = new AbortController();
  const searching = Boolean(box.text || box.like || box.image);
  document.body.dataset.view = searching ? "search" : "home";
  document.title = box.text ? `${box.text} · polylens` : "polylens";
  if (!page.ready) return undefined;
  if (!page.collection) return empty();
  $("progress").hidden = false;
  $("grid").setAttribute("aria-busy", "true");
  try {
    await (searching ? showAnswer(running.signal) : showAll(running.signal));
  } catch (error) {
    if (error.name === "AbortError") return undefined; // a newer search is on its way
    fail(error);
  }
  $("progress").hidden = true;
  $("grid").removeAttribute("aria-busy");
  return restore();
}

async function showAnswer(signal) {
  const query = { text: box.text, like: box.like, image: box.image, limit: page.limit };
  if (page.kind !== "all") query.kinds = KINDS[page.kind];
  const [answer, about] = await Promise.all([
    api.search(page.collection, query, signal),
    api.describe(page.collection),
  ]);
  const hits = answer.hits.filter((hit) => hit.id !== box.like);
  const poor = answer.good_match === false;
  notice(poor || !hits.length ? sorry(hits.length) : null, answer.warnings);
  $("status").textContent = poor || !hits.length ? "" : summary();
  offerKinds(about);
  grid.show(page.collection, hits);
  $("more").hidden = answer.hits.length < page.limit || page.limit >= MOST;
}

async function showAll(signal) {
  const query = { kinds: page.kind === "video" ? ["video"] : KINDS[page.kind].filter((kind) => kind !== "segment"), limit: STEP };
  const [points, about] = await Promise.all([
    api.browse(page.collection, query, signal),
    api.describe(page.collection),
  ]);
  const total = inventory(about.kinds);
  $("inventory").textContent = total ? `Search ${total} by describing them, in any language.` : "";
  notice(about.points ? null : nothingYet());
  $("status").textContent = "";
  offerKinds(about);
  grid.show(page.collection, points.points);
  page.after = points.next;
  $("more").hidden = !points.next;
}

async function more() {
  if (document.body.dataset.view === "search") return go({ limit: Math.min(page.limit + STEP, MOST) });
  const kinds = page.kind === "video" ? ["video"] : KINDS[page.kind].filter((kind) => kind !== "segment");
  const points = await api.browse(page.collection, { kinds, after: page.after, limit: STEP }, running.signal);
  grid.append(page.collection, points.points);
  page.after = points.next;
  $("more").hidden = !points.next;
  return undefined;
}

function summary() {
  if (box.text && (box.like || box.image)) return `Like this picture and “${box.text}”, best match first`;
  return box.text ? `Best matches for “${box.text}”` : "Like this picture, best match first";
}

function sorry(hits) {
  const subject = box.text ? ` for “${box.text}”` : "";
  return [
    h("h2", { dir: "auto" }, `No good match${subject}`),
    h("p", {}, hits ? "Nothing here seems to show that. Below is the closest we have." : "Nothing here fits. Try other words, or fewer."),
  ];
}

function nothingYet() {
  return [
    h("h2", {}, "Nothing here yet"),
    h("p", {}, "Add a folder of photos and videos from a terminal, then reload this page:"),
    h("pre", {}, h("code", {}, "polylens ingest ~/Pictures")),
  ];
}

function notice(content, warnings = []) {
  $("notice").replaceChildren(...(content ?? []), ...warnings.map((warning) => h("p", { className: "warning" }, warning)));
  $("notice").hidden = !$("notice").hasChildNodes();
}

function empty() {
  grid.show(null, []);
  notice(nothingYet());
}

function fail(error) {
  if (error.name === "AbortError") return;
  grid.show(null, []);
  $("status").textContent = "";
  $("summary").hidden = true;
  $("more").hidden = true;
  $("progress").hidden = true;
  notice([
    h("h2", {}, error instanceof api.ApiError ? "That did not work" : "Something went wrong"),
    h("p", { dir: "auto" }, error.message),
    h("button", { type: "button", onclick: () => location.reload() }, "Try again"),
  ]);
}

/** The choice of collection, where there is one. */
function offerCollections() {
  $("switcher").hidden = page.collections.length < 2;
  $("collection").replaceChildren(...page.collections.map(({ name }) => h("option", { value: name }, name)));
  $("collection").value = page.collection;
}

/** The choice between photos and videos, where there is one. */
function offerKinds(about) {
  const choices = [["all", "All"], ["image", "Photos"], ["video", "Videos"]];
  $("kinds").hidden = !(about.kinds.image && about.kinds.video);
  $("kinds").replaceChildren(
    ...choices.map(([kind, label]) =>
      h("button", { type: "button", "aria-pressed": String(kind === page.kind), onclick: () => go({ kind, limit: STEP }) }, label),
    ),
  );
  $("summary").hidden = $("kinds").hidden && !$("status").textContent;
}

function like(hit) {
  if (viewer.open) viewer.close();
  box.setLike(page.collection, hit.moments?.[0]?.id ?? hit.id);
  scrollTo({ top: 0 });
  go({ limit: STEP });
}

function open(index) {
  page.at = grid.hits[index].id;
  history.pushState({ ...history.state, viewer: true }, "", address());
  viewer.show(page.collection, grid.hits, index);
}

/** While the viewer moves from hit to hit, the address follows without new history. */
function remember(index) {
  page.at = grid.hits[index].id;
  history.replaceState(history.state, "", address());
}

/** The viewer was closed: by its button or Esc, then the address goes back too, or by going back. */
function closed(index) {
  if (page.at && history.state?.viewer) history.back();
  else if (page.at) history.replaceState(history.state, "", (page.at = null) ?? address());
  page.at = null;
  grid.focus(index);
}

/** Open the hit that the address names, after a reload or through a shared link. */
function restore() {
  const index = grid.hits.findIndex((hit) => hit.id === page.at);
  if (index >= 0 && !viewer.open) viewer.show(page.collection, grid.hits, index);
}

function back() {
  const before = [box.text, box.like, page.collection, page.kind, page.limit].join("\n");
  read();
  const same = before === [box.text, box.like, page.collection, page.kind, page.limit].join("\n");
  if (!page.at && viewer.open) viewer.close();
  if (!same) show();
  else restore();
}

function listen() {
  addEventListener("popstate", back);
  $("more").addEventListener("click", () => more().catch(fail));
  $("collection").addEventListener("change", (event) => {
    box.setLike(null, null);
    go({ collection: event.target.value, kind: "all", limit: STEP });
  });
  $("brand").addEventListener("click", (event) => {
    event.preventDefault();
    box.text = "";
    box.setLike(null, null);
    go({ kind: "all", limit: STEP });
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
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
