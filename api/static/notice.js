/** What stands in place of results, or above them: nothing here, nothing fits, something failed. */

import { ApiError } from "/static/api.js";
import { $, h, icon } from "/static/dom.js";
import { said } from "/static/words.js";

/** Show these nodes and a line for each warning; nothing hides it. */
export function notice(content, warnings = []) {
  $("notice").replaceChildren(...(content ?? []), ...warnings.map((warning) => h("p", { className: "warning" }, warning)));
  $("notice").hidden = !$("notice").hasChildNodes();
}

/** No hit that is likely, `hits` being how many unlikely ones there are. */
export function nothingFits(text, hits, onunfilter) {
  const subject = text ? ` for ${said(text)}` : "";
  const advice = onunfilter ? "Nothing within these filters fits." : "Nothing here fits. Try other words, or fewer.";
  return [
    h("h2", { dir: "auto" }, `No good match${subject}`),
    h("p", {}, hits ? "Nothing here seems to show that. Below is the closest we have." : advice),
    onunfilter ? h("button", { type: "button", onclick: onunfilter }, "Search without filters") : "",
  ];
}

export function nothingLeft(onunfilter) {
  return [
    h("h2", {}, "Nothing within these filters"),
    h("p", {}, "Take one away to see more."),
    h("button", { type: "button", onclick: onunfilter }, "Clear filters"),
  ];
}

/** An empty collection; `onadd` where the user may add to it. */
export function nothingYet(onadd) {
  const ways = onadd
    ? [h("p", {}, "Drop photos and videos anywhere on this page, or choose them."), h("button", { type: "button", className: "primary", onclick: onadd }, icon("plus"), "Add photos and videos")]
    : [];
  return [
    h("div", { className: "picture", "aria-hidden": "true" }, icon("image")),
    h("h2", {}, "Nothing here yet"),
    ...ways,
    h("p", {}, ways.length ? "For whole folders, a terminal is quicker:" : "Add a folder of photos and videos from a terminal, then reload this page:"),
    h("pre", {}, h("code", {}, "polylens ingest ~/Pictures")),
  ];
}

/** `way` out of it: what its button says and does. */
export function failed(error, [words, onclick]) {
  return [
    h("h2", {}, error instanceof ApiError ? "That did not work" : "Something went wrong"),
    h("p", { dir: "auto" }, error.message),
    h("button", { type: "button", onclick }, words),
  ];
}
