/** The address: the whole state of a search, so that it can be shared and walked back. */

export const KINDS = { all: null, image: ["image"], video: ["video", "segment"] };
export const STORED = ["image", "video", "text"]; // one point for each file

const CONDITION = /^(is|from|to)\.(.+)$/s;

/** `filters` maps a payload field to { is: [values], from, to }; `near` is { lat, lon, km }. */
export const blank = () => ({ collection: null, text: "", like: [], kind: "all", filters: new Map(), near: null, at: null });

/** The state that the address stands for. */
export function read(search) {
  const query = new URLSearchParams(search);
  const filters = new Map();
  for (const [name, value] of query) {
    const [, part, key] = CONDITION.exec(name) ?? [];
    if (!key || (part !== "is" && !value)) continue; // no folder is a value, too
    const filter = filters.get(key) ?? {};
    filters.set(key, part === "is" ? { ...filter, is: [...(filter.is ?? []), value] } : { ...filter, [part]: value });
  }
  return {
    collection: query.get("c"),
    text: query.get("q") ?? "",
    like: query.getAll("like"),
    kind: Object.hasOwn(KINDS, query.get("kind")) ? query.get("kind") : "all",
    filters,
    near: place(query.get("near")),
    at: query.get("at"),
  };
}

/** The address of a state; the collection that is shown without one is left out. */
export function write(state, usual) {
  const query = new URLSearchParams();
  if (state.text) query.set("q", state.text);
  for (const point of state.like) query.append("like", point);
  if (state.collection && state.collection !== usual) query.set("c", state.collection);
  if (state.kind !== "all") query.set("kind", state.kind);
  for (const [key, { is = [], from, to }] of state.filters) {
    for (const value of is) query.append(`is.${key}`, value);
    if (from) query.set(`from.${key}`, from);
    if (to) query.set(`to.${key}`, to);
  }
  if (state.near) query.set("near", [state.near.lat, state.near.lon, state.near.km].join(","));
  if (state.at) query.set("at", state.at);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

function place(text) {
  const [lat, lon, km] = (text ?? "").split(",").map(Number);
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 && km > 0 ? { lat, lon, km } : null;
}
