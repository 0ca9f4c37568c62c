/**
 * From where a data file says an answer begins (Unicode code points, as Python counts) to where it stands in the context (UTF-16 code units,
 * as JavaScript counts). Where the text is not there, it is looked for: it is taken where it occurs exactly once close by, else where it
 * occurs exactly once in the whole context. Other answers stay without a place: they can be compared with, but not trained on.
 */
import { codeUnitPositions } from "../text/code-points.js";
import type { RawAnswer } from "./raw-question.js";

export interface Answer {
  text: string;
  /** Where the answer begins, in UTF-16 code units of the context; −1 where its text could not be found for certain. */
  start: number;
}

export interface PlacedAnswer extends Answer {
  /** `stated`: at answer_start; `moved`: found elsewhere; `lost`: not found, or found more than once. */
  found: "stated" | "moved" | "lost";
}

/** How far from answer_start a text is "close by", in UTF-16 code units: slips of a few characters, white space that was changed before. */
const closeBy = 32;

/**
 * A function that places answers in a context; the context's positions are computed once for all its answers.
 * @example
 * placerFor("🙂 Rome")({ text: "Rome", start: 2 }); // { text: "Rome", start: 3, found: "stated" }
 */
export function placerFor(context: string): (answer: RawAnswer) => PlacedAnswer {
  const positions = codeUnitPositions(context);
  return ({ text, start = -1 }) => {
    const stated = positions === undefined || start < 0 ? start : (positions[start] ?? context.length);
    if (text !== "" && start >= 0 && context.startsWith(text, stated)) {
      return { text, start: stated, found: "stated" };
    }
    const occurrences = text === "" ? [] : occurrencesOf(text, context);
    const near = occurrences.filter((occurrence) => Math.abs(occurrence - stated) <= closeBy);
    const certain = near.length === 1 ? near : occurrences;
    return certain.length === 1 ? { text, start: certain[0], found: "moved" } : { text, start: -1, found: "lost" };
  };
}

function occurrencesOf(text: string, context: string): number[] {
  const starts: number[] = [];
  for (let start = context.indexOf(text); start >= 0; start = context.indexOf(text, start + 1)) starts.push(start);
  return starts;
}
