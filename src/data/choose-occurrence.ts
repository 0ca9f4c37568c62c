/**
 * Where an answer is meant that stands several times in its context and whose place the data does not state: where most of the question's
 * words are near. A guess, by a rule that is the same each time; reports count the answers that were placed by it.
 */
import { foldEnds, type FoldedText } from "./fold-text.js";

/** How far around an occurrence words count as near, in code units of the folded context. */
const nearBy = 100;

const words = new Intl.Segmenter(undefined, { granularity: "word" });

/**
 * The occurrence with the most weight of question words within 100 characters on either side; the first of equals. A word weighs one by the
 * number of times that it stands in the context: "the" says little.
 * @param occurrences at least one, in their order
 */
export function chooseOccurrence<T extends { start: number; end: number }>(
  occurrences: readonly T[],
  context: FoldedText,
  question: string,
): T {
  const places = [
    ...new Set(
      Array.from(words.segment(foldEnds(question)))
        .filter(({ isWordLike }) => isWordLike)
        .map(({ segment }) => segment),
    ),
  ]
    .map((word) => placesOf(word, context))
    .filter((each) => each.length > 0);
  let best = occurrences[0];
  let most = -1;
  for (const occurrence of occurrences) {
    const isNear = (place: number): boolean => place >= occurrence.start - nearBy && place <= occurrence.end + nearBy;
    const weight = places.reduce((sum, each) => sum + (each.some(isNear) ? 1 / each.length : 0), 0);
    if (weight > most) {
      best = occurrence;
      most = weight;
    }
  }
  return best;
}

/** Where a word stands by itself, in UTF-16 code units of the original context. */
function placesOf(word: string, { text, starts }: FoldedText): number[] {
  const places: number[] = [];
  const isLetter = (unit: string | undefined): boolean => unit !== undefined && /[\p{L}\p{N}\p{M}]/u.test(unit);
  const isSpaced = /^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}\p{M}]+$/u.test(word);
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
    if (isSpaced && (isLetter(text[at - 1]) || isLetter(text[at + word.length]))) continue;
    places.push(starts[at]);
  }
  return places;
}
