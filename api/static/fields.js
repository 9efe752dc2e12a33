/** Which fields of a collection are worth filtering by, and what people call them. */

const NOT_FOR_PEOPLE = new Set(
  "kind name text caption size mtime_ns content_hash phash width height format codec duration start end frame duplicate_of".split(" "),
);
const FIRST = ["taken", "tags", "camera", "folder"];
const LABELS = { taken: "Date" };
const MOST = 8;

/** The fields to offer, those that help most first; ones with a filter on them always. */
export function useful({ fields, points }, filters) {
  const order = (field) => (FIRST.includes(field.key) ? FIRST.indexOf(field.key) : FIRST.length);
  const places = fields.filter(({ type }) => type === "place").map(({ key }) => `${key}.`);
  const known = fields.filter(({ key }) => !places.some((place) => key.startsWith(place)));
  const chosen = known.filter((field) => filters.has(field.key) || helps(field, points));
  return chosen.sort((a, b) => order(a) - order(b) || b.points - a.points).slice(0, MOST);
}

export const label = (key) => LABELS[key] ?? sentence(key.split(".").at(-1).replace(/[_[\]"]+/g, " ").trim() || key);

/** Few values that many share help; one that all share, or one of its own for each, does not. */
function helps({ key, type, points, distinct, min, max, values }, all) {
  if (NOT_FOR_PEOPLE.has(key) || type === "place" || points < 2) return false;
  if (type === "time" || type === "number") return min !== max;
  if (type === "flag") return distinct > 1 || points < all;
  return values.length > 1 && distinct <= Math.max(2, points * 0.7);
}

/** A value as it is shown; of folders only what differs. */
export function shown(field, value) {
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (value === "") return field?.key === "folder" ? "Uploads" : "None";
  if (field?.key !== "folder") return String(value);
  const folders = field.values.filter((known) => known.value).map((known) => String(known.value).split("/"));
  const common = folders[0]?.findIndex((step, i) => folders.some((folder) => folder[i] !== step)) ?? 0;
  const steps = String(value).split("/");
  return (common < 0 ? "" : steps.slice(common).join("/")) || steps.at(-1);
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1);
