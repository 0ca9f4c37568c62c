/**
 * Scores by kinds of questions: by question word, length of the answer, length of the context, place of the answer, and article. Lengths are in
 * words between white space, so that they do not depend on a model's tokens; the answer is the first gold answer, the one that training takes.
 */
import { percentile } from "../data/lengths.js";
import type { ExampleResult } from "./example-results.js";
import { questionWord } from "./question-word.js";
import { type Interval, wilsonInterval } from "./statistics.js";

export interface Group {
  name: string;
  count: number;
  /** Mean EM and F1 from 0 to 1, with their 95% intervals. */
  exact: number;
  exactInterval: Interval;
  f1: number;
  f1Interval: Interval;
}

export interface Breakdown {
  name: "question word" | "answer length" | "context length" | "answer position" | "article";
  /** How the groups are made, for a reader. */
  note: string;
  groups: Group[];
}

/** Words between white space. */
export function wordCount(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

/** Where the first gold answer begins, as a share of the context from 0 to 1; undefined without one that was found there. */
export function answerPosition({ context, answers }: ExampleResult["example"]): number | undefined {
  const start = answers.find((answer) => answer.start >= 0)?.start;
  return start === undefined || context.length === 0 ? undefined : start / context.length;
}

/**
 * All breakdowns; that by article only where the data has titles.
 * @example
 * breakdowns(results).find(({ name }) => name === "question word")!.groups[0]; // { name: "what", count: 612, f1: 0.81, … }
 */
export function breakdowns(results: readonly ExampleResult[]): Breakdown[] {
  const contextWords = new Map<string, number>();
  for (const { example } of results) {
    if (!contextWords.has(example.context)) contextWords.set(example.context, wordCount(example.context));
  }
  const lengthOf = ({ example }: ExampleResult) => contextWords.get(example.context)!;
  const contextRanges = quartileRanges(results.map(lengthOf));
  const byContextLength = (result: ExampleResult) => contextRanges.find(({ most }) => lengthOf(result) <= most)!.name;
  const made: Breakdown[] = [
    {
      name: "question word",
      note: "The first question word of the question.",
      groups: grouped(results, ({ example }) => questionWord(example.question)).sort(byCount),
    },
    {
      name: "answer length",
      note: "Words of the first gold answer.",
      groups: inOrder(grouped(results, answerLength), [...answerRanges.map(({ name }) => name), noAnswer]),
    },
    {
      name: "context length",
      note: "Words of the context; a quarter of the questions in each range, as far as equal lengths allow.",
      groups: inOrder(grouped(results, byContextLength), contextRanges.map(({ name }) => name)),
    },
    {
      name: "answer position",
      note: "Where in the context the first gold answer begins.",
      groups: inOrder(grouped(results, ({ example }) => positionName(answerPosition(example), example.impossible)), [...fifths, notFound, noAnswer]),
    },
  ];
  if (results.some(({ example }) => example.title !== undefined)) {
    made.push({
      name: "article",
      note: "The title that the data gives, the lowest F1 first.",
      groups: grouped(results, ({ example }) => example.title ?? "(no title)").sort((a, b) => a.f1 - b.f1 || byCount(a, b)),
    });
  }
  return made;
}

function grouped(results: readonly ExampleResult[], nameOf: (result: ExampleResult) => string): Group[] {
  const members = new Map<string, ExampleResult[]>();
  for (const result of results) {
    const name = nameOf(result);
    const list = members.get(name);
    if (list === undefined) members.set(name, [result]);
    else list.push(result);
  }
  return [...members].map(([name, list]) => {
    const mean = (metric: "exact" | "f1") => list.reduce((sum, result) => sum + result[metric], 0) / list.length;
    const [exact, f1] = [mean("exact"), mean("f1")];
    return {
      name,
      count: list.length,
      exact,
      exactInterval: wilsonInterval(exact, list.length),
      f1,
      f1Interval: wilsonInterval(f1, list.length),
    };
  });
}

const byCount = (a: Group, b: Group) => b.count - a.count || (a.name < b.name ? -1 : 1);

function inOrder(groups: Group[], names: readonly string[]): Group[] {
  return groups.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

const noAnswer = "no answer";
const notFound = "not found in the context";

const answerRanges = [
  { most: 1, name: "1 word" },
  { most: 2, name: "2 words" },
  { most: 3, name: "3 words" },
  { most: 5, name: "4–5 words" },
  { most: 10, name: "6–10 words" },
  { most: Infinity, name: "11 words or more" },
];

function answerLength({ example }: ExampleResult): string {
  if (example.answers.length === 0) return noAnswer;
  const words = wordCount(example.answers[0].text);
  return answerRanges.find(({ most }) => words <= most)!.name;
}

const fifths = ["first fifth", "second fifth", "third fifth", "fourth fifth", "last fifth"];

function positionName(position: number | undefined, impossible: boolean): string {
  if (impossible) return noAnswer;
  return position === undefined ? notFound : fifths[Math.min(4, Math.floor(5 * position))];
}

/** Ranges of whole numbers that cut the values at their quartiles; fewer than four where quartiles fall together. */
function quartileRanges(values: readonly number[]): { most: number; name: string }[] {
  const sorted = Float64Array.from(values).sort();
  const limits = [...new Set([25, 50, 75, 100].map((p) => Math.floor(percentile(sorted, p))))];
  let from = sorted.at(0) ?? 0;
  return limits.map((most) => {
    const name = from === most ? `${most} words` : `${from}–${most} words`;
    from = most + 1;
    return { most, name };
  });
}
