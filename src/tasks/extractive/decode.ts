/**
 * From the logits of windows to answers, as the SQuAD scripts of BERT (Devlin et al. 2018) and Hugging Face do: of each window the n best start
 * and the n best end tokens are paired; a pair counts when it lies in the context, in order, and is not too long; its score is the sum of
 * its two logits, and the best over all windows of an example wins. Having no answer is scored by the logits at the first token (CLS), the
 * lowest over the windows; the null odds are that score less the best answer's.
 */
import { InternalError } from "../../errors.js";
import type { QaExample } from "../../data/examples.js";
import type { Feature } from "./features.js";

/** The logits of one feature, for its real tokens only: [length] each. */
export interface SpanLogits {
  start: Float32Array;
  end: Float32Array;
}

export interface DecodeOptions {
  /** Start and end tokens considered in a window, and answers kept for an example. Default 20. */
  nBest?: number;
  /** The longest answer, in tokens. Default 30. */
  maxAnswerLength?: number;
  /**
   * Answers "" where the null odds are above this (SQuAD 2.0; 0 unless tuned). Undefined: always answers (SQuAD 1.1).
   */
  nullThreshold?: number;
}

export interface Span {
  text: string;
  /** [start, end) in UTF-16 code units of the context. */
  start: number;
  end: number;
  /** Sum of the two logits. */
  score: number;
  /** Softmax of the score over the spans kept, and over having no answer where `nullThreshold` is given. */
  probability: number;
}

export interface DecodedAnswers {
  /** By example id, in the order of the examples. "" for no answer. */
  predictions: Map<string, string>;
  /** Score of no answer less score of the best answer: the higher, the less likely is an answer. */
  nullOdds: Map<string, number>;
  /** The best spans, best first; empty when no pair of tokens counted. */
  nBest: Map<string, Span[]>;
}

interface Candidate {
  start: number;
  end: number;
  score: number;
}

/**
 * The answers of examples. Examples without features are left out.
 * @param logits of each feature, at the same index
 * @example
 * const { predictions } = decodeAnswers(examples, features, logits);
 * predictions.get(examples[0].id); // "in 1998"
 */
export function decodeAnswers(
  examples: readonly QaExample[],
  features: readonly Feature[],
  logits: readonly SpanLogits[],
  options: DecodeOptions = {},
): DecodedAnswers {
  const { nBest = 20, maxAnswerLength = 30, nullThreshold } = options;
  if (features.length !== logits.length) throw new InternalError(`${logits.length} logits for ${features.length} features`);
  const byExample = new Map<number, { best: Candidate[]; nullScore: number }>();
  for (const [i, feature] of features.entries()) {
    let found = byExample.get(feature.exampleIndex);
    if (found === undefined) byExample.set(feature.exampleIndex, (found = { best: [], nullScore: Infinity }));
    found.nullScore = Math.min(found.nullScore, logits[i].start[0] + logits[i].end[0]);
    collectSpans(found.best, feature, logits[i], nBest, maxAnswerLength);
  }
  const answers: DecodedAnswers = { predictions: new Map(), nullOdds: new Map(), nBest: new Map() };
  for (const exampleIndex of [...byExample.keys()].sort((a, b) => a - b)) {
    const { best, nullScore } = byExample.get(exampleIndex)!;
    const { id, context } = examples[exampleIndex];
    const odds = nullScore - (best[0]?.score ?? 0);
    const isNull = best.length === 0 || (nullThreshold !== undefined && odds > nullThreshold);
    answers.predictions.set(id, isNull ? "" : context.slice(best[0].start, best[0].end));
    answers.nullOdds.set(id, odds);
    answers.nBest.set(id, withProbabilities(best, context, nullThreshold === undefined ? undefined : nullScore));
  }
  return answers;
}

/** Adds the spans of one window that count to the best of its example. */
function collectSpans(best: Candidate[], { offsets, length }: Feature, logits: SpanLogits, nBest: number, maxAnswerLength: number): void {
  // In the context, and not a token of white space alone, whose place is empty: an answer neither begins nor ends with one.
  const counts = (token: number) => offsets[2 * token] >= 0 && offsets[2 * token + 1] > offsets[2 * token];
  const ends = largest(logits.end, length, nBest).filter(counts);
  for (const start of largest(logits.start, length, nBest).filter(counts)) {
    for (const end of ends) {
      if (end < start || end - start + 1 > maxAnswerLength) continue;
      const score = logits.start[start] + logits.end[end];
      if (isAmongBest(best, score, scoreOf, nBest))
        keep(best, { start: offsets[2 * start], end: offsets[2 * end + 1], score }, scoreOf, nBest);
    }
  }
}

/** The positions of the k largest of the first `length` values, largest first, equal ones in their order. */
export function largest(values: Float32Array, length: number, k: number): number[] {
  const best: number[] = [];
  const valueOf = (position: number) => values[position];
  for (let i = 0; i < length; i++) if (isAmongBest(best, values[i], valueOf, k)) keep(best, i, valueOf, k);
  return best;
}

const scoreOf = (candidate: Candidate) => candidate.score;

/** Whether a score has a place in a list of the k best: for most it has none, which spares sorting them. */
export function isAmongBest<T>(best: T[], score: number, scoreOf: (item: T) => number, k: number): boolean {
  return best.length < k || score > scoreOf(best[k - 1]);
}

/** Puts an item where it belongs in a list of the k best, after those of the same score. */
export function keep<T>(best: T[], item: T, scoreOf: (item: T) => number, k: number): void {
  if (best.length === k) best.pop();
  const score = scoreOf(item);
  let place = best.length;
  while (place > 0 && score > scoreOf(best[place - 1])) place--;
  best.splice(place, 0, item);
}

function withProbabilities(best: Candidate[], context: string, nullScore: number | undefined): Span[] {
  const top = Math.max(best[0]?.score ?? -Infinity, nullScore ?? -Infinity);
  const weights = best.map(({ score }) => Math.exp(score - top));
  const total = weights.reduce((sum, weight) => sum + weight, nullScore === undefined ? 0 : Math.exp(nullScore - top));
  return best.map(({ start, end, score }, i) => ({ text: context.slice(start, end), start, end, score, probability: weights[i] / total }));
}
