/**
 * From the logits of one question's windows to its answers and their scores, as the question-answering pipeline of transformers 4.57 does
 * (question_answering.py: select_starts_ends, decode_spans, postprocess). In each window by itself:
 *
 *     p(start = s) = softmax of the start logits over the context's tokens and CLS,  p(end = e) likewise
 *     score(s, e) = p(start = s) · p(end = e)    for context tokens s ≤ e < s + max_answer_len
 *     score(no answer) = p(start = CLS) · p(end = CLS), the lowest over the windows
 *
 * The best spans of each window, widened to whole words (answer-places.ts), compete with those of the others. Spans of the same text, capitals
 * aside, are one answer that stands where the first of them does, and their scores add up: with windows that overlap the sum can pass 1. Where
 * the best spans are fewer answers than were asked for, the pipeline gives fewer; here other spans follow, each with the score of its own.
 */
import { withoutSpace } from "../../text/white-space.js";
import { answerPlaces } from "./answer-places.js";
import { isAmongBest, keep, type SpanLogits } from "./decode.js";
import type { Feature } from "./features.js";
import type { ResolvedAnswerOptions } from "./answer-options.js";

/** An answer: `start` and `end` are UTF-16 code units of the context, so `context.slice(start, end) === answer`. */
export interface Answer {
  /** How likely the reader takes the answer to be; see above for what it is the product and sum of. */
  readonly score: number;
  readonly start: number;
  readonly end: number;
  /** "" for no answer; `start` and `end` are then 0. */
  readonly answer: string;
  /** There, and true, where the question is longer than max_question_len, and was read up to there only. */
  readonly question_cut?: true;
}

/** A window with what the reader says of it. */
interface ReadWindow {
  readonly window: Feature;
  readonly places: Int32Array;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
}

interface Candidate {
  /** Tokens, both inclusive. */
  readonly first: number;
  readonly last: number;
  readonly score: number;
}

const scoreOf = ({ score }: { score: number }) => score;

/**
 * The best answers to one question, best first, as many as top_k asks for where there are as many; never empty: where no window holds a token
 * of the context, there is no answer.
 * @param windows all windows of the question, with `wordOffsets`
 * @param logits of each window, at the same index
 * @param clsId the id of the token that stands for no answer, where it begins a window
 */
export function answerSpans(
  context: string,
  windows: readonly Feature[],
  logits: readonly SpanLogits[],
  clsId: number,
  options: ResolvedAnswerOptions,
): Answer[] {
  const read = windows.map((window, index): ReadWindow => {
    const [starts, ends] = [logits[index].start, logits[index].end].map((values) => probabilities(values, window, clsId));
    return { window, places: answerPlaces(context, window, options.align_to_words), starts, ends };
  });
  const found = bestAnswers(context, read, options);
  const none = (score: number): Answer => ({ score, start: 0, end: 0, answer: "" });
  const wanted = options.top_k - (options.handle_impossible_answer ? 1 : 0) - found.size;
  const further = wanted > 0 ? furtherAnswers(context, read, found, wanted, options.max_answer_len) : [];
  const answers = [...found.values(), ...further];
  if (options.handle_impossible_answer) answers.push(none(nullScore(read, clsId)));
  else if (answers.length === 0) answers.push(none(0));
  return answers.sort((a, b) => b.score - a.score).slice(0, options.top_k);
}

/** The lowest over the windows; one that does not begin with CLS says nothing for having no answer. */
function nullScore(read: readonly ReadWindow[], clsId: number): number {
  const scores = read.map(({ window, starts, ends }) => (window.ids[0] === clsId ? starts[0] * ends[0] : 0));
  return scores.reduce((least, score) => Math.min(least, score), scores[0] ?? 0);
}

/** The answers that the best spans of each window are, by their texts in small letters. */
function bestAnswers(context: string, read: readonly ReadWindow[], { top_k, max_answer_len }: ResolvedAnswerOptions): Map<string, Answer> {
  // Candidates that turn out to be one answer leave a place to others: the pipeline takes this many of each window.
  const kept = 2 * top_k + 10;
  const answers = new Map<string, { score: number; start: number; end: number; answer: string }>();
  for (const one of read) {
    for (const candidate of bestSpans(one, kept, max_answer_len)) {
      const answer = answerAt(context, one.places, candidate);
      if (answer === undefined) continue;
      const text = answer.answer.toLowerCase();
      const known = answers.get(text);
      if (known === undefined) answers.set(text, { ...answer });
      else known.score += candidate.score;
    }
  }
  return answers;
}

/** The answer that a span of tokens is; none where it has white space alone. */
function answerAt(context: string, places: Int32Array, { first, last, score }: Candidate): Answer | undefined {
  const [start, end] = withoutSpace(context, places[2 * first], places[2 * last + 1]);
  return start < end ? { score, start, end, answer: context.slice(start, end) } : undefined;
}

/** The best spans whose texts are none of those found, each with its own score, best first. */
function furtherAnswers(context: string, read: readonly ReadWindow[], found: ReadonlyMap<string, Answer>, wanted: number, longest: number): Answer[] {
  let best: [text: string, answer: Answer][] = [];
  for (const one of read) {
    const further = new Map(best);
    // Where words are long many spans are one place: texts are made of the best of each alone.
    const bestOf = new Map<number, Candidate>();
    eachSpan(one, longest, (first, last, score) => {
      const place = one.places[2 * first] * (context.length + 1) + one.places[2 * last + 1];
      if (score > (bestOf.get(place)?.score ?? 0)) bestOf.set(place, { first, last, score });
    });
    for (const candidate of bestOf.values()) {
      const answer = answerAt(context, one.places, candidate);
      const text = answer?.answer.toLowerCase();
      if (answer === undefined || text === undefined || found.has(text)) continue;
      if (answer.score > (further.get(text)?.score ?? 0)) further.set(text, answer);
    }
    best = [...further].sort(([, a], [, b]) => b.score - a.score).slice(0, wanted);
  }
  return best.map(([, answer]) => answer);
}

/** softmax over the tokens that an answer may begin or end with, and CLS; 0 for all others. */
function probabilities(logits: Float32Array, { offsets, ids, length }: Feature, clsId: number): Float64Array {
  const counts = (token: number) => offsets[2 * token] >= 0 || (token === 0 && ids[0] === clsId);
  let top = -Infinity;
  for (let token = 0; token < length; token++) if (counts(token)) top = Math.max(top, logits[token]);
  const weights = new Float64Array(length);
  let total = 0;
  for (let token = 0; token < length; token++) if (counts(token)) total += weights[token] = Math.exp(logits[token] - top);
  return total === 0 ? weights : weights.map((weight) => weight / total);
}

function bestSpans(read: ReadWindow, kept: number, longest: number): Candidate[] {
  const best: Candidate[] = [];
  eachSpan(read, longest, (first, last, score) => {
    if (isAmongBest(best, score, scoreOf, kept)) keep(best, { first, last, score }, scoreOf, kept);
  });
  return best;
}

/** Calls a function with each span of the context's tokens that is not too long, and its score. */
function eachSpan({ window, starts, ends }: ReadWindow, longest: number, visit: (first: number, last: number, score: number) => void): void {
  const { offsets, length } = window;
  for (let first = 0; first < length; first++) {
    if (offsets[2 * first] < 0) continue;
    for (let last = first; last < Math.min(length, first + longest); last++) {
      if (offsets[2 * last] >= 0) visit(first, last, starts[first] * ends[last]);
    }
  }
}
