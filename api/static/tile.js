/** One tile of the grid: a picture to open, its name, and what a video shows of its moments. */

import { thumbnail } from "/static/api.js";
import { h, icon } from "/static/dom.js";
import { clock } from "/static/format.js";
import { isWeak } from "/static/match.js";
import { hasTimeline, strip } from "/static/timeline.js";

const [NARROWEST, WIDEST] = [0.6, 2.4]; // aspect ratios a tile may have; the rest is cropped
const SHORT = 70; // letters of a text that is set large

export const isVideo = (hit) => hit.kind === "video" || hit.kind === "segment";

/** The point whose thumbnail stands for a hit: the frame of its best moment, for a video. */
export const poster = (hit) => hit.moments?.[0]?.id ?? hit.id;

/** `onopen(seconds)` with a time where one was pointed at, `onlike()`, `onfocus()`. */
export function tile(collection, hit, { onopen, onlike, onfocus }) {
  const name = hit.name || "Untitled";
  const isText = hit.kind === "text";
  const isShort = isText && (hit.text || name).length <= SHORT;
  const door = h(
    "button",
    { type: "button", className: "door", tabIndex: -1, "aria-label": label(hit, name), onclick: () => onopen(), onfocus },
    isText ? h("span", { className: "words", dir: "auto" }, hit.text || name) : picture(collection, hit),
    isVideo(hit) ? badge(hit) : null,
    isText ? null : h("span", { className: "name", dir: "auto" }, name),
  );
  const like = h(
    "button",
    { type: "button", className: "like", tabIndex: -1, title: "More like this", "aria-label": `More like ${name}`, onclick: onlike },
    icon("like"),
  );
  const className = ["tile", isWeak(hit) && "faint", isText && "text", isShort && "short"].filter(Boolean).join(" ");
  return shaped(h("li", { className }, door, like, hasTimeline(hit) ? strip(hit, onopen) : null), ratio(hit));
}

const SHAPES = [1.5, 0.75, 1.33, 1.78, 1, 1.5, 0.67, 1.33, 1.5, 1.78, 1, 1.33];

/** Grey tiles while an answer is on its way. */
export const waiting = (count = SHAPES.length) =>
  Array.from({ length: count }, (_, i) =>
    shaped(h("li", { className: "tile waiting", "aria-hidden": "true" }), SHAPES[i % SHAPES.length]),
  );

function picture(collection, hit) {
  return h("img", {
    src: thumbnail(collection, poster(hit)),
    alt: "",
    loading: "lazy",
    decoding: "async",
    onload: (event) => event.target.classList.add("ready"),
    onerror: (event) => event.target.closest(".tile").classList.add("missing"),
  });
}

function shaped(node, aspect) {
  node.style.setProperty("--ratio", Math.min(Math.max(aspect, NARROWEST), WIDEST));
  return node;
}

const ratio = (hit) => (hit.kind === "text" ? 1 : hit.width && hit.height ? hit.width / hit.height : 4 / 3);

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
