/** The HTTP API as the page uses it. */

import { $ } from "/static/dom.js";

/** A refusal of the service; `detail` is fit to show. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(sentence(problem.detail || problem.title || `the service answered ${status}`));
    this.status = status;
  }
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1).replace(/[^.?!]$/, "$&.");
const base = (collection) => `/v1/collections/${encodeURIComponent(collection)}`;

export const listCollections = () => call("/v1/collections");
export const describe = (collection) => call(base(collection));
export const thumbnail = (collection, point, size = "grid") =>
  `${base(collection)}/points/${point}/thumbnail?size=${size}`;
export const original = (collection, point) => `${base(collection)}/points/${point}/original`;

/** A hit or a point with the fields of its payload beside its own. */
const flat = (record) => ({ ...record.payload, ...record });

/** Points in storage order, `limit` at a time. */
export async function browse(collection, { kinds, after, limit }, signal) {
  const query = new URLSearchParams({ limit });
  for (const kind of kinds) query.append("kind", kind);
  if (after) query.set("after", after);
  const page = await call(`${base(collection)}/points?${query}`, { signal });
  return { ...page, points: page.points.map(flat) };
}

/** Search by text, by a stored point, by a picture (a File), or by several of them together. */
export async function search(collection, query, signal) {
  const answer = await call(`${base(collection)}/search`, { signal, ...request(query) });
  return { ...answer, hits: answer.hits.map(flat) };
}

function request({ text, like, image, kinds, limit }) {
  const parts = [];
  if (text) parts.push({ text });
  if (like) parts.push({ point: like });
  const asked = { parts, limit };
  if (kinds) asked.filter = { must: [{ key: "kind", match: { any: kinds } }] };
  if (!image) return json(asked);
  const form = new FormData();
  form.append("query", JSON.stringify(asked));
  form.append("image", image);
  return { method: "POST", body: form };
}

const json = (value) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

async function call(path, options = {}) {
  const answer = await reach(path, options);
  if (answer.status === 401) {
    await signIn();
    return call(path, options);
  }
  if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => ({})));
  return answer.status === 204 ? null : answer.json();
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { detail: "The service cannot be reached. Is it still running?" });
  }
}

let signingIn = null;

/** Ask for a key until one is accepted; the service answers with a cookie that scripts cannot read. */
function signIn() {
  signingIn ??= ask().finally(() => (signingIn = null));
  return signingIn;
}

function ask() {
  const dialog = $("sign-in");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  return new Promise((resolve) => {
    const submit = async (event) => {
      event.preventDefault();
      const answer = await reach("/v1/session", json({ key: $("key").value.trim() })).catch((error) => error);
      if (!answer.ok) {
        $("wrong-key").textContent = answer.status === 401 ? "That key is not known here." : "Please try again.";
        return;
      }
      dialog.removeEventListener("submit", submit);
      $("key").value = "";
      dialog.close();
      resolve();
    };
    dialog.addEventListener("submit", submit);
  });
}
