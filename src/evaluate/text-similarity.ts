/**
 * How near an answer's text is to another, without SQuAD's normalisation: measures of plain strings, as people write them for a first look at
 * predictions. Each compares two texts; an evaluation compares a prediction with the first gold answer alone, "" where there is none.
 */
import { words } from "./squad-normalise.js";

/** The four measures of one prediction. */
export interface TextSimilarity {
  /** 1 where the strings are equal, else 0. */
  readonly plainExact: number;
  /** F1 of the sets of words between white space, from 0 to 1. */
  readonly unigramF1: number;
  /** Levenshtein distance, in Unicode code points. */
  readonly distance: number;
  /** 1 − distance / length of the longer text, from 0 to 1. */
  readonly similarity: number;
}

/**
 * All four measures of a prediction against a gold answer.
 * @example
 * textSimilarity("the Denver Broncos", "Denver Broncos"); // { plainExact: 0, unigramF1: 0.8, distance: 4, similarity: 0.78 }
 */
export function textSimilarity(prediction: string, gold: string): TextSimilarity {
  const distance = levenshteinDistance(prediction, gold);
  const longer = Math.max([...prediction].length, [...gold].length);
  return {
    plainExact: prediction === gold ? 1 : 0,
    unigramF1: unigramF1(prediction, gold),
    distance,
    similarity: longer === 0 ? 1 : 1 - distance / longer,
  };
}

/** F1 = 2PR / (P + R) of two sets of words: each word counts once, however often it stands in a text. 1 for two texts without a word. */
export function unigramF1(prediction: string, gold: string): number {
  const [predicted, expected] = [prediction, gold].map((text) => new Set(words(text)));
  if (predicted.size === 0 && expected.size === 0) return 1;
  const common = [...predicted].filter((word) => expected.has(word)).length;
  return (2 * common) / (predicted.size + expected.size);
}

/**
 * The least number of code points to insert, remove or exchange that make one text of the other (Levenshtein 1966; Wagner and Fischer 1974):
 * of two rows of the table, where row[j] is the distance between what was read of `a` and the first j of `b`.
 */
export function levenshteinDistance(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  let row = Uint32Array.from({ length: right.length + 1 }, (_, j) => j);
  let next = new Uint32Array(right.length + 1);
  for (const [i, point] of left.entries()) {
    next[0] = i + 1;
    for (let j = 0; j < right.length; j++) {
      next[j + 1] = Math.min(row[j + 1] + 1, next[j] + 1, row[j] + (point === right[j] ? 0 : 1));
    }
    [row, next] = [next, row];
  }
  return row[right.length];
}
