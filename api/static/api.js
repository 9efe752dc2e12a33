/** The HTTP API as the page uses it. */

import { signIn } from "/static/signin.js";

/** A refusal of the service; `message` is fit to show. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(sentence(problem.detail || problem.error?.message || problem.title || `the service answered ${status}`));
    this.status = status;
  }
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1).replace(/[^.?!]$/, "$&.");
const base = (collection) => `/v1/collections/${encodeURIComponent(collection)}`;

export const listCollections = () => call("/v1/collections");
export const createCollection = (name) => call("/v1/collections", json({ name }));
export const describe = (collection, signal) => call(base(collection), { signal });
export const fields = (collection, kinds, signal) => call(`${base(collection)}/fields?${kinds.map((kind) => `kind=${kind}`).join("&")}`, { signal });
export const models = () => call("/v1/models");
export const session = () => call("/v1/session");
export const thumbnail = (collection, point, size = "grid") => `${base(collection)}/points/${point}/thumbnail?size=${size}`;
export const original = (collection, point) => `${base(collection)}/points/${point}/original`;
export const assets = (collection) => `${base(collection)}/assets`;

/** A hit or a point with the fields of its payload beside its own. */
const flat = (record) => ({ ...record.payload, ...record });

export const point = async (collection, id) => flat(await call(`${base(collection)}/points/${encodeURIComponent(id)}`));

/** Points in storage order, `limit` at a time, after `cursor`: { hits, next }. */
export async function browse(collection, { filter }, { limit, cursor }, signal) {
  const page = await call(`${base(collection)}/points/scroll`, { signal, ...json({ filter, limit, after: cursor }) });
  return { hits: page.points.map(flat), next: page.next, warnings: [] };
}

/** Search by words, stored points (ids) and pictures (Files) together. */
export async function search(collection, query, { limit, cursor }, signal) {
  const answer = await call(`${base(collection)}/search`, { signal, ...request(query, limit, cursor) });
  return { ...answer, hits: answer.hits.map(flat) };
}

function request({ text, minus, like, images, filter }, limit, cursor) {
  const parts = like.map((point) => ({ point }));
  if (text) parts.unshift({ text });
  for (const word of minus) parts.push({ text: word, weight: -0.5 });
  const asked = { parts, limit, filter, cursor: cursor ?? undefined };
  if (!images.length) return json(asked);
  const form = new FormData();
  form.append("query", JSON.stringify(asked));
  for (const image of images) form.append("image", image);
  return { method: "POST", body: form };
}

export const listJobs = (limit) => call(`/v1/jobs?limit=${limit}`);
export const describeJob = (job) => call(`/v1/jobs/${job}`);
export const submitJob = (collection, path) => call(`${base(collection)}/jobs`, json({ sources: [path] }));
export const cancelJob = (job) => call(`/v1/jobs/${job}/cancel`, { method: "POST" });
export const failures = async (job, limit) => (await call(`/v1/jobs/${job}/failures?limit=${limit}`)).failures;
export const jobEvents = (job) => `/v1/jobs/${job}/events`;

/** A chat's answer as it comes: a Response whose body is a stream of events. */
export const chat = (body, signal) => answered("/v1/chat/completions", { signal, ...json({ ...body, stream: true }) });

const json = (value) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

async function call(path, options = {}) {
  const answer = await answered(path, options);
  return answer.status === 204 ? null : answer.json();
}

/** An answer that is a success, after signing in if need be; raises `ApiError`. */
async function answered(path, options) {
  const answer = await reach(path, options);
  if (answer.status === 401) {
    await openSession();
    return answered(path, options);
  }
  if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { detail: "The service cannot be reached. Is it still running?" });
  }
}

/** Ask who is there; resolves once a key was accepted. */
export const openSession = () =>
  signIn(async (key) => {
    const answer = await reach("/v1/session", json({ key })).catch(() => ({ status: 0 }));
    return answer.status;
  });
