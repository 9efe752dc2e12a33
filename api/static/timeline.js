/** A video's scores from beginning to end, as a strip of light: the brighter, the better the match. */

import { h } from "/static/dom.js";
import { clock } from "/static/format.js";

/** How well each span does within its own video, 0 to 1; `hit.timeline` is from the API. */
function strengths(spans) {
  const scores = spans.map((span) => span.score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  return scores.map((score) => (high > low ? (score - low) / (high - low) : 0.5));
}

const length = (hit) => hit.duration || hit.timeline.at(-1).end;
export const hasTimeline = (hit) => (hit.timeline?.length ?? 0) > 1;

function bars(hit) {
  const strength = strengths(hit.timeline);
  return hit.timeline.map((span, i) => {
    const bar = h("span", { className: "span" });
    bar.style.insetInlineStart = `${(100 * span.start) / length(hit)}%`;
    bar.style.width = `${(100 * (span.end - span.start)) / length(hit)}%`;
    bar.style.setProperty("--strength", strength[i].toFixed(3));
    return bar;
  });
}

const timeAt = (event, node, hit) => {
  const box = node.getBoundingClientRect();
  return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.999) * length(hit);
};

/** The strip on a tile, for the pointer; the keyboard finds the same in the viewer. */
export function strip(hit, onjump) {
  const node = h("div", { className: "strip", "aria-hidden": "true" }, ...bars(hit));
  node.addEventListener("click", (event) => onjump(timeAt(event, node, hit)));
  node.addEventListener("pointermove", (event) => (node.title = clock(timeAt(event, node, hit))));
  return node;
}

/** The strip below a playing video: a slider whose steps are the spans. */
export function slider(hit, onjump) {
  const head = h("span", { className: "head" });
  const node = h("div", {
    className: "timeline",
    tabIndex: 0,
    role: "slider",
    "aria-label": "Where in the video it matches",
    "aria-valuemin": "0",
    "aria-valuemax": String(Math.round(length(hit))),
  });
  node.append(...bars(hit), head);
  const at = () => hit.timeline.findLastIndex((span) => span.start <= node.seconds + 0.01);
  node.mark = (seconds) => {
    node.seconds = seconds;
    head.style.insetInlineStart = `${Math.min((100 * seconds) / length(hit), 100)}%`;
    node.setAttribute("aria-valuenow", String(Math.round(seconds)));
    node.setAttribute("aria-valuetext", clock(seconds));
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    onjump(timeAt(event, node, hit));
  });
  node.addEventListener("pointermove", (event) => {
    if (event.buttons) onjump(timeAt(event, node, hit));
  });
  node.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation(); // the viewer turns pages with these
    const next = Math.min(Math.max(at() + step, 0), hit.timeline.length - 1);
    onjump(hit.timeline[next].start);
  });
  node.mark(0);
  return node;
}
