/**
 * What became of a question: right, or in which way not. A prediction is compared with every gold answer, and what speaks for it most is what
 * it is called; by places in the context, not by words, since the same words may stand in another sentence.
 */
import type { QaExample } from "../data/examples.js";
import { sentencesOf } from "./sentences.js";

/** In the order of how near they are to being right; the texts are what a person reads. */
export const outcomes = {
  exact: { title: "exact match", meaning: "equal to a gold answer, as SQuAD compares them" },
  boundary: { title: "boundary error", meaning: "shares characters with a gold answer in the context, but begins or ends elsewhere" },
  no_overlap: { title: "no overlap", meaning: "in the sentence of a gold answer, without a character in common with any" },
  wrong_sentence: { title: "wrong sentence", meaning: "in a sentence that holds nothing of any gold answer" },
  not_answered: { title: "not answered", meaning: "left unanswered, though there is an answer" },
  should_not_answer: { title: "answered without need", meaning: "answered, though the context has no answer" },
} as const;

export type Outcome = keyof typeof outcomes;

export interface Placed {
  /** [start, end) in UTF-16 code units of the context. */
  start: number;
  end: number;
}

/**
 * @param prediction the answer given, "" for none
 * @param span where it stands; undefined for none
 * @param scores of the prediction: `exact` decides whether it is right; `f1` stands in where no gold answer has a place in the context
 * @example
 * outcomeOf(example, "Denver", { start: 10, end: 16 }, { exact: 0, f1: 0.67 }); // "boundary"
 */
export function outcomeOf(
  { context, answers }: Pick<QaExample, "context" | "answers">,
  prediction: string,
  span: Placed | undefined,
  scores: { exact: number; f1: number },
): Outcome {
  if (scores.exact === 1) return "exact";
  if (answers.length === 0) return "should_not_answer";
  if (prediction === "" || span === undefined) return "not_answered";
  const golds = answers.filter(({ start }) => start >= 0).map(({ start, text }) => ({ start, end: start + text.length }));
  if (golds.length === 0) return scores.f1 > 0 ? "boundary" : "no_overlap";
  if (golds.some((gold) => shareText(context, gold, span))) return "boundary";
  const touched = sentencesOf(context).filter((sentence) => shareText(context, sentence, span));
  return touched.some((sentence) => golds.some((gold) => shareText(context, sentence, gold))) ? "no_overlap" : "wrong_sentence";
}

/** Two spans have a character in common that is not white space. */
function shareText(context: string, a: Placed, b: Placed): boolean {
  return context.slice(Math.max(a.start, b.start), Math.max(0, Math.min(a.end, b.end))).trim() !== "";
}
