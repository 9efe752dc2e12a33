/** How well a hit fits, said with tact: a number helps nobody, four words do. */

const WORDS = [
  [0.8, "Very likely", 4],
  [0.5, "Likely", 3],
  [0.2, "Perhaps", 2],
  [0, "Unlikely", 1],
];

/** Whether a hit is more likely wrong than right; false where that was never measured. */
export const isWeak = (hit) =>
  typeof hit.relevance === "number" ? hit.relevance < 0.5 : hit.good_match === false;

/** { word, dots } of four, or null where nothing but the score is known. */
export function likelihood(hit) {
  if (typeof hit.relevance !== "number") return null;
  const [, word, dots] = WORDS.find(([least]) => hit.relevance >= least) ?? WORDS.at(-1);
  return { word, dots };
}
