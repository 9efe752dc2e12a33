/** From what was chosen to the filter that the API takes. */

const DAY = 86_400_000; // milliseconds

/** A filter tree, or undefined where nothing was chosen. `kinds` is null for all. */
export function tree(kinds, { filters, near }) {
  const must = [];
  if (kinds) must.push({ key: "kind", match: { any: kinds } });
  for (const [key, { is, from, to }] of filters) {
    if (is) must.push({ key, match: { any: is.flatMap(readings) } });
    if (from || to) must.push({ key, range: between(from, to) });
  }
  if (near) must.push({ key: "location", geo_radius: { center: { lat: near.lat, lon: near.lon }, radius: 1000 * near.km } });
  return must.length ? { must } : undefined;
}

/** An address holds text; the payload may have it as a number or a flag. */
function readings(text) {
  if (text === "true" || text === "false") return [text, text === "true"];
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? [text, Number(text)] : [text];
}

/** Both ends belong to it: of a day, all of it. */
function between(from, to) {
  const range = {};
  if (from) range.gte = bound(from);
  if (to && isDay(to)) range.lt = new Date(Date.parse(to) + DAY).toISOString();
  else if (to) range.lte = bound(to);
  return range;
}

const bound = (text) => (isDay(text) || Number.isNaN(Number(text)) ? text : Number(text));
const isDay = (text) => /^\d{4}-\d\d-\d\d$/.test(text);
