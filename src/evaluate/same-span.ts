/**
 * Whether a reader says one thing to nearly everything, as one does whose head was never trained: whatever is asked about a text, it marks the same span
 * there, or it gives one text to all questions. Such a reader has an F1 of some points, and nothing in the means says that it does not read.
 */
import type { ExampleResult } from "./example-results.js";

export interface SameSpan {
  /** "context": the same span for the questions on one context; "text": the same text for all questions. */
  kind: "context" | "text";
  /** Share of the questions, from 0 to 1, that got it. */
  share: number;
  /** The same of the gold answers: what the questions would have. */
  gold: number;
  /** Questions that were looked at. */
  questions: number;
  /** An example of what is said; "" for no answer. */
  text: string;
}

/** From so many questions, and from such a share of them on, there is something to tell. */
const fewest = 10;
const nearlyAll = 0.8;

/**
 * What a reader says to nearly everything; undefined for one that does not.
 * @example
 * sameSpan(results)?.share; // 0.97
 */
export function sameSpan(results: readonly ExampleResult[]): SameSpan | undefined {
  const contexts = groups(results, ({ example }) => example.context).filter((group) => group.length > 1);
  const found: SameSpan[] = [
    measured("context", contexts, ({ prediction, span }) => `${span?.start} ${prediction}`),
    measured("text", results.length === 0 ? [] : [results], ({ prediction }) => prediction),
  ];
  return found.find(({ share, gold, questions }) => questions >= fewest && share >= nearlyAll && share > 1.5 * gold);
}

/** A sentence that tells a person of it. */
export function describeSameSpan({ kind, share, gold, questions, text }: SameSpan): string {
  const percent = (value: number): string => `${Math.round(100 * value)}%`;
  const said = text === "" ? "no answer" : `"${text.length > 60 ? `${text.slice(0, 60)}…` : text}"`;
  const what =
    kind === "text"
      ? `says the same to nearly everything: ${said}, to ${percent(share)} of ${questions} questions`
      : `marks the same span for nearly every question about a text: for ${percent(share)} of ${questions} questions on texts with several (for example ${said})`;
  return `${what}; of the gold answers ${percent(gold)} would be that much alike. It does not read the questions, as a model whose head is not trained.`;
}

/** The share of the questions that got what most of their group got, as predicted and as the gold answers have it. */
function measured(kind: SameSpan["kind"], grouped: readonly (readonly ExampleResult[])[], predicted: (result: ExampleResult) => string): SameSpan {
  const questions = grouped.reduce((sum, group) => sum + group.length, 0);
  const gold = ({ example }: ExampleResult): string => example.answers.at(0)?.text ?? "";
  let [most, mostGold] = [0, 0];
  let largest: readonly ExampleResult[] = [];
  for (const group of grouped) {
    const same = groups(group, predicted)[0];
    if (same.length > largest.length) largest = same;
    most += same.length;
    mostGold += groups(group, gold)[0].length;
  }
  return { kind, share: most / questions, gold: mostGold / questions, questions, text: largest.at(0)?.prediction ?? "" };
}

/** Results of the same key together, the largest group first. */
function groups(results: readonly ExampleResult[], key: (result: ExampleResult) => string): ExampleResult[][] {
  const found = new Map<string, ExampleResult[]>();
  for (const result of results) {
    const group = found.get(key(result));
    if (group === undefined) found.set(key(result), [result]);
    else group.push(result);
  }
  return [...found.values()].sort((a, b) => b.length - a.length);
}
