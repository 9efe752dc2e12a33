/** Numbers, times and dates as people read them, in the browser's language. */

const number = new Intl.NumberFormat();
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });

const count = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many}`;

/** Seconds as 0:42 or 1:02:07. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** An ISO time as a long local date, or the text itself where it is none. */
export function when(iso) {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : date.format(time);
}

/** Seconds in words: 40 s, 12 min, 3 h. */
export function span(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** "1,204 photos and 36 videos" from the counts of a collection by kind. */
export function inventory(kinds) {
  const parts = [
    kinds.image && count(kinds.image, "photo", "photos"),
    kinds.video && count(kinds.video, "video", "videos"),
    kinds.text && count(kinds.text, "text", "texts"),
  ].filter(Boolean);
  return new Intl.ListFormat("en").format(parts);
}

/** Degrees as 38.72° N, 9.14° W. */
export function place(lat, lon) {
  const side = (degrees, plus, minus) => `${Math.abs(degrees).toFixed(2)}° ${degrees < 0 ? minus : plus}`;
  return `${side(lat, "N", "S")}, ${side(lon, "E", "W")}`;
}

/** A day of an ISO date in the middle length, without a shift of time zone. */
export const dayOf = (iso) => new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(iso));

/** Bytes as 3.4 MB. */
export const bytes = (n) =>
  n < 1e6
    ? `${number.format(Math.max(1, Math.round(n / 1e3)))} kB`
    : `${(n / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 })} MB`;

export { count };
