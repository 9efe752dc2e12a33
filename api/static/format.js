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

/** "1,204 photos and 36 videos" from the counts of a collection by kind. */
export function inventory(kinds) {
  const parts = [
    kinds.image && count(kinds.image, "photo", "photos"),
    kinds.video && count(kinds.video, "video", "videos"),
    kinds.text && count(kinds.text, "text", "texts"),
  ].filter(Boolean);
  return new Intl.ListFormat("en").format(parts);
}
