/** What was typed: words to look for, and after a minus words to stay away from. */

const MINUS = /(?<=^|\s)[-−](?:"([^"]+)"|(\p{L}[^\s"]*))/gu;

/** `sea -people -"red boat"` is { text: "sea", minus: ["people", "red boat"] }. */
export function parse(typed) {
  const minus = [...typed.matchAll(MINUS)].map(([, phrase, word]) => phrase ?? word);
  return { text: typed.replace(MINUS, "").replace(/\s+/g, " ").trim(), minus };
}

/** The same for people: “sea” without “people”. */
export function said(typed) {
  const { text, minus } = parse(typed);
  const without = minus.map((word) => `“${word}”`).join(" and ");
  return [text && `“${text}”`, without && `without ${without}`].filter(Boolean).join(" ");
}

/** What the results are, in a line. */
export function summary(typed, pictures) {
  const alike = pictures > 1 ? `Like these ${pictures} pictures` : "Like this picture";
  if (pictures) return typed ? `${alike} and ${said(typed)}, best match first` : `${alike}, best match first`;
  return typed ? `Best matches for ${said(typed)}` : "";
}
