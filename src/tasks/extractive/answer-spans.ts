/**
 * From the logits of one question's windows to its answers and their scores, as the question-answering pipeline of transformers 4.57 does
 * (question_answering.py: select_starts_ends, decode_spans, postprocess). In each window by itself:
 *
 *     p(start = s) = softmax of the start logits over the context's tokens and CLS,  p(end = e) likewise
 *     score(s, e) = p(start = s) · p(end = e)    for context tokens s ≤ e < s + max_answer_len
 *     score(no answer) = p(start = CLS) · p(end = CLS), the lowest over the windows
 *
 * The best spans of each window, widened to whole words, compete with those of the others. Spans of the same text, capitals aside, are one
 * answer that stands where the first of them does, and their scores add up: with windows that overlap the sum can pass 1.
 */
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
}

interface Candidate {
  /** Tokens, both inclusive. */
  readonly first: number;
  readonly last: number;
  readonly score: number;
}

const scoreOf = ({ score }: { score: number }) => score;

/**
 * The best answers to one question, best first; never empty: where no window holds a token of the context, there is no answer.
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
  // Candidates that turn out to be one answer leave a place to others: the pipeline takes this many of each window.
  const kept = 2 * options.top_k + 10;
  const answers = new Map<string, { score: number; start: number; end: number; answer: string }>();
  let nullScore = Infinity;
  windows.forEach((window, index) => {
    const [starts, ends] = [logits[index].start, logits[index].end].map((values) => probabilities(values, window, clsId));
    nullScore = Math.min(nullScore, window.ids[0] === clsId ? starts[0] * ends[0] : 0);
    for (const { first, last, score } of bestSpans(window, starts, ends, kept, options.max_answer_len)) {
      const places = window.wordOffsets ?? window.offsets;
      const [start, end] = [places[2 * first], places[2 * last + 1]];
      if (start === end) continue; // a token of white space alone
      const answer = context.slice(start, end);
      const known = answers.get(answer.toLowerCase());
      if (known === undefined) answers.set(answer.toLowerCase(), { score, start, end, answer });
      else known.score += score;
    }
  });
  const found: Answer[] = [...answers.values()];
  if (options.handle_impossible_answer) found.push({ score: Number.isFinite(nullScore) ? nullScore : 0, start: 0, end: 0, answer: "" });
  else if (found.length === 0) found.push({ score: 0, start: 0, end: 0, answer: "" });
  return found.sort((a, b) => b.score - a.score).slice(0, options.top_k);
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

function bestSpans({ offsets, length }: Feature, starts: Float64Array, ends: Float64Array, kept: number, longest: number): Candidate[] {
  const best: Candidate[] = [];
  for (let first = 0; first < length; first++) {
    if (offsets[2 * first] < 0) continue;
    for (let last = first; last < Math.min(length, first + longest); last++) {
      if (offsets[2 * last] < 0) continue;
      const score = starts[first] * ends[last];
      if (isAmongBest(best, score, scoreOf, kept)) keep(best, { first, last, score }, scoreOf, kept);
    }
  }
  return best;
}
