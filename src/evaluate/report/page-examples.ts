/**
 * The examples that stand in the page itself, as JSON that its script shows page by page: all of them where they are few, else the beginning of each
 * order, so that the page stays quick. Contexts stand in it once, and of very long ones only what lies around the answers.
 */
import { questionWord } from "../question-word.js";
import type { ExampleResult } from "../example-results.js";
import type { Placed } from "../outcome.js";
import type { OrderName } from "./orders.js";
import type { Report } from "./report-data.js";

/** Limits of what a page holds: questions, and characters of text. */
const mostExamples = 3000;
const mostCharacters = 6_000_000;
/** Of a longer context only so many characters on each side of every answer are kept. */
const longContext = 8000;
const around = 800;

type Span = [start: number, end: number];

interface ShownAnswer {
  text: string;
  span?: Span;
  exact: number;
  f1: number;
  probability: number;
  /** The score that transformers' pipeline gives, and its answer where it is another. */
  pipeline?: { score: number; answer?: string };
  /** Levenshtein distance to the first gold answer. */
  distance: number;
  nullOdds: number;
  outcome: string;
}

export interface ShownExample {
  /** Place in the data, from 1. */
  number: number;
  /** Place in each order, from 0. */
  places: Partial<Record<OrderName, number>>;
  id: string;
  title?: string;
  question: string;
  word: string;
  golds: string[];
  goldSpans: Span[];
  /** Index into the contexts. */
  context: number;
  answer: ShownAnswer;
  /** The other model's. */
  other?: ShownAnswer;
}

export interface ShownExamples {
  contexts: string[];
  /** In the order of the data. */
  examples: ShownExample[];
  /** How many questions from the beginning of each order on are all here. */
  complete: Partial<Record<OrderName, number>>;
}

/** Chooses and packs the examples of a page. */
export function shownExamples({ results, orders, comparison }: Report): ShownExamples {
  const contexts: string[] = [];
  const indices = new Map<string, number>();
  const shown = new Map<number, ShownExample>();
  let characters = 0;
  const named = Object.entries(orders) as [OrderName, number[]][];
  const placesIn = named.map(([name, order]) => [name, placesOf(order)] as const);
  for (const index of headsOf(named.map(([, order]) => order))) {
    if (shown.size >= mostExamples || characters >= mostCharacters) break;
    if (shown.has(index)) continue;
    const result = results[index];
    const other = comparison?.results[index];
    const golds = goldSpans(result);
    const parts = contextParts(result.example.context, [...golds, ...spansOf(result), ...(other ? spansOf(other) : [])]);
    let context = indices.get(parts.text);
    if (context === undefined) {
      context = contexts.push(parts.text) - 1;
      indices.set(parts.text, context);
      characters += parts.text.length;
    }
    const { id, title, question, answers } = result.example;
    characters += question.length + answers.reduce((sum, { text }) => sum + text.length, 0) + 300;
    shown.set(index, {
      number: index + 1,
      places: Object.fromEntries(placesIn.map(([name, places]) => [name, places[index]])),
      id,
      ...(title !== undefined && { title }),
      question,
      word: questionWord(question),
      golds: [...new Set(answers.map(({ text }) => text))],
      goldSpans: golds.map(parts.move),
      context,
      answer: shownAnswer(result, parts.move),
      ...(other && { other: shownAnswer(other, parts.move) }),
    });
  }
  const examples = [...shown.values()].sort((a, b) => a.number - b.number);
  const held = (order: readonly number[]): number => {
    const missing = order.findIndex((index) => !shown.has(index));
    return missing < 0 ? order.length : missing;
  };
  return { contexts, examples, complete: Object.fromEntries(named.map(([name, order]) => [name, held(order)])) };
}

/** The first of every order, then the second of every order, and so on. */
function* headsOf(orders: readonly (readonly number[])[]): Generator<number> {
  for (let place = 0; place < orders[0].length; place++) for (const order of orders) yield order[place];
}

/** Where each index stands in an order. */
function placesOf(order: readonly number[]): Int32Array {
  const places = new Int32Array(order.length);
  for (const [place, index] of order.entries()) places[index] = place;
  return places;
}

function shownAnswer({ prediction, span, exact, f1, probability, pipeline, text, nullOdds, outcome }: ExampleResult, move: (span: Placed) => Span): ShownAnswer {
  return {
    text: prediction,
    ...(span && { span: move(span) }),
    ...{ exact, f1: rounded(f1), probability: rounded(probability) },
    ...(pipeline && { pipeline: { score: rounded(pipeline.score), ...(pipeline.answer !== prediction && { answer: pipeline.answer }) } }),
    ...{ distance: text.distance, nullOdds: rounded(nullOdds), outcome },
  };
}

/** To what is shown; scores of untrained readers are as small as 0.0001. */
const rounded = (value: number) => Number(value.toPrecision(6));

const spansOf = ({ span }: ExampleResult): Placed[] => (span ? [span] : []);

function goldSpans({ example }: ExampleResult): Placed[] {
  const spans = new Map<string, Placed>();
  for (const { start, text } of example.answers) if (start >= 0) spans.set(`${start} ${text.length}`, { start, end: start + text.length });
  return [...spans.values()];
}

/** A context, or the parts of a long one that lie around some spans, and where a span of the context stands in that text. */
export function contextParts(context: string, spans: readonly Placed[]): { text: string; move: (span: Placed) => Span } {
  if (context.length <= longContext) return { text: context, move: ({ start, end }) => [start, end] };
  const parts: { start: number; end: number; at: number }[] = [];
  for (const span of spans.length > 0 ? [...spans].sort((a, b) => a.start - b.start) : [{ start: 0, end: 0 }]) {
    const start = Math.max(0, span.start - around);
    const end = Math.min(context.length, span.end + around);
    const last = parts.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else parts.push({ start, end, at: 0 });
  }
  let text = "";
  for (const part of parts) {
    if (part.start > 0) text += "… ";
    part.at = text.length;
    text += context.slice(part.start, part.end);
    if (part.end < context.length) text += " …\n";
  }
  const move = ({ start, end }: Placed): Span => {
    const part = parts.find((one) => start >= one.start && end <= one.end)!; // every span has a part
    return [start - part.start + part.at, end - part.start + part.at];
  };
  return { text, move };
}
