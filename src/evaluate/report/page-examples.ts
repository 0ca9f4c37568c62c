/**
 * The examples that stand in the page itself, as JSON that its script shows page by page: all of them where they are few, else the worst and the
 * best, so that the page stays quick. Contexts stand in it once, and of very long ones only what lies around the answers.
 */
import { questionWord } from "../question-word.js";
import type { ExampleResult } from "../example-results.js";
import type { Placed } from "../outcome.js";
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
  nullOdds: number;
  outcome: string;
}

export interface ShownExample {
  /** Place among all questions, the worst being 1. */
  rank: number;
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
  examples: ShownExample[];
}

/** Chooses and packs the examples of a page. */
export function shownExamples({ results, order, comparison }: Report): ShownExamples {
  const contexts: string[] = [];
  const indices = new Map<string, number>();
  const shown = new Map<number, ShownExample>();
  let characters = 0;
  for (const rank of ranksByWeight(order.length)) {
    if (shown.size >= mostExamples || characters >= mostCharacters) break;
    const result = results[order[rank]];
    const other = comparison?.results[order[rank]];
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
    shown.set(rank, {
      rank: rank + 1,
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
  const examples = [...shown.values()].sort((a, b) => a.rank - b.rank);
  return { contexts, examples };
}

/** Ranks in the order in which they are given a place: two of the worst, then one of the best, and so on. */
function* ranksByWeight(count: number): Generator<number> {
  for (let worst = 0, best = count - 1, turn = 0; worst <= best; turn++) yield turn % 3 === 2 ? best-- : worst++;
}

function shownAnswer({ prediction, span, exact, f1, probability, nullOdds, outcome }: ExampleResult, move: (span: Placed) => Span): ShownAnswer {
  return { text: prediction, ...(span && { span: move(span) }), exact, f1: rounded(f1), probability: rounded(probability), nullOdds: rounded(nullOdds), outcome };
}

const rounded = (value: number) => Math.round(value * 1e4) / 1e4;

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
