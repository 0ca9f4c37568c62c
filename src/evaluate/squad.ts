/**
 * The metrics of SQuAD 1.1 and 2.0, equal to the official scripts (evaluate-v1.1.py and evaluate-v2.0.py of Rajpurkar et al.) to the last
 * digit: the same sums in the same order. Golds are what the data file writes, also where the context writes it otherwise. The two scripts
 * differ: where both answers are empty after normalisation, F1 is 0 in 1.1 and 1 in
 * 2.0; a gold answer that is empty after normalisation counts in 1.1 and is left out in 2.0; a missing prediction scores 0 in 1.1 and is an
 * error in 2.0.
 */
import { LecternError } from "../errors.js";
import type { QaExample } from "../data/examples.js";
import { answerWords } from "./squad-normalise.js";

/** Answers by example id, "" for none. */
export type Predictions = ReadonlyMap<string, string>;

/** By the names of the official 1.1 script, in percent. */
export interface Squad1Metrics {
  exact_match: number;
  f1: number;
}

/** By the names of the official 2.0 script, in percent. Thresholds are in the unit of the no-answer scores. */
export interface Squad2Metrics {
  exact: number;
  f1: number;
  total: number;
  HasAns_exact?: number;
  HasAns_f1?: number;
  HasAns_total?: number;
  NoAns_exact?: number;
  NoAns_f1?: number;
  NoAns_total?: number;
  best_exact?: number;
  best_exact_thresh?: number;
  best_f1?: number;
  best_f1_thresh?: number;
}

export interface Squad2Options {
  /** How likely it is that a question has no answer, by example id: null odds or probabilities. Gives the `best_` metrics. */
  noAnswerScores?: ReadonlyMap<string, number>;
  /** A prediction counts as "" where its no-answer score is above this. Default 1, as in the official script. */
  threshold?: number;
}

/** The scores of one prediction, from 0 to 1. */
export interface AnswerScores {
  exact: number;
  f1: number;
}

/**
 * The metrics of SQuAD 1.1. Questions without a prediction score 0; of questions with one id every one counts.
 * @throws LecternError DATA_ANSWERS when an example has no answer, DATA_EMPTY for no examples
 * @example
 * evaluateSquad1(examples, new Map([["56be4db0acb8001400a502ec", "Denver Broncos"]])); // { exact_match: …, f1: … }
 */
export function evaluateSquad1(examples: readonly QaExample[], predictions: Predictions): Squad1Metrics {
  refuseEmpty(examples);
  let exact = 0;
  let f1 = 0;
  for (const example of examples) {
    const prediction = predictions.get(example.id);
    if (prediction === undefined) continue;
    if (example.answers.length === 0) {
      throw new LecternError("DATA_ANSWERS", {
        message: `The question ${example.id} has no answer.`,
        expected: "an answer for every question, as SQuAD 1.1 has",
        next: "Use the metrics of SQuAD 2.0 for data with unanswerable questions.",
      });
    }
    const scores = squad1Scores(example, prediction);
    exact += scores.exact;
    f1 += scores.f1;
  }
  return { exact_match: (100 * exact) / examples.length, f1: (100 * f1) / examples.length };
}

/**
 * The metrics of SQuAD 2.0, also for data without unanswerable questions. Of questions with one id the last counts, as in the script.
 * @throws LecternError PREDICTIONS_MISSING when an example has no prediction or no no-answer score, DATA_EMPTY for no examples
 * @example
 * evaluateSquad2(examples, predictions, { noAnswerScores: nullOdds }).best_f1;
 */
export function evaluateSquad2(examples: readonly QaExample[], predictions: Predictions, options: Squad2Options = {}): Squad2Metrics {
  const { noAnswerScores, threshold = 1 } = options;
  refuseEmpty(examples);
  refuseMissing(examples, predictions, "a prediction");
  if (noAnswerScores !== undefined) refuseMissing(examples, noAnswerScores, "a no-answer score");
  const lastOfEachId = [...new Map(examples.map((example) => [example.id, example])).values()];
  const scored = lastOfEachId.map((example): Scored => {
    const prediction = predictions.get(example.id)!;
    return {
      hasAnswer: example.answers.length > 0,
      answered: prediction !== "",
      raw: squad2Scores(example, prediction),
      noAnswer: noAnswerScores?.get(example.id) ?? 0,
    };
  });
  const metrics: Squad2Metrics = means(scored, threshold);
  const answerable = scored.filter(({ hasAnswer }) => hasAnswer);
  const unanswerable = scored.filter(({ hasAnswer }) => !hasAnswer);
  if (answerable.length > 0) {
    const { exact, f1, total } = means(answerable, threshold);
    Object.assign(metrics, { HasAns_exact: exact, HasAns_f1: f1, HasAns_total: total });
  }
  if (unanswerable.length > 0) {
    const { exact, f1, total } = means(unanswerable, threshold);
    Object.assign(metrics, { NoAns_exact: exact, NoAns_f1: f1, NoAns_total: total });
  }
  if (noAnswerScores !== undefined) {
    const byId = new Map(lastOfEachId.map((example, i) => [example.id, scored[i]]));
    const inFileOrder = [...noAnswerScores.keys()].map((id) => byId.get(id)).filter((one) => one !== undefined);
    const exact = bestThreshold(inFileOrder, "exact");
    const f1 = bestThreshold(inFileOrder, "f1");
    Object.assign(metrics, { best_exact: exact.best, best_exact_thresh: exact.threshold, best_f1: f1.best, best_f1_thresh: f1.threshold });
  }
  return metrics;
}

/** One prediction's scores as the 1.1 script gives them. */
export function squad1Scores(example: QaExample, prediction: string): AnswerScores {
  return bestScores(
    goldTexts(example),
    prediction,
    0,
  );
}

/** One prediction's scores as the 2.0 script gives them, before any threshold. */
export function squad2Scores(example: QaExample, prediction: string): AnswerScores {
  const golds = goldTexts(example).filter((text) => answerWords(text).length > 0);
  return bestScores(golds.length > 0 ? golds : [""], prediction, 1);
}

function goldTexts({ answers }: QaExample): string[] {
  return answers.map(({ text, written }) => written ?? text);
}

interface Scored {
  hasAnswer: boolean;
  answered: boolean;
  raw: AnswerScores;
  noAnswer: number;
}

function means(scored: Scored[], threshold: number): { exact: number; f1: number; total: number } {
  let exact = 0;
  let f1 = 0;
  for (const { hasAnswer, raw, noAnswer } of scored) {
    const heldBack = noAnswer > threshold;
    exact += heldBack ? Number(!hasAnswer) : raw.exact;
    f1 += heldBack ? Number(!hasAnswer) : raw.f1;
  }
  return { exact: (100 * exact) / scored.length, f1: (100 * f1) / scored.length, total: scored.length };
}

/**
 * The threshold that would have been best: begin with no question answered, and answer them from the surest on. Where several questions have
 * one score, the script may stop between them, and so does this; the sort keeps the order of the scores' file, as Python's does.
 */
function bestThreshold(scored: Scored[], metric: keyof AnswerScores): { best: number; threshold: number } {
  let current = scored.filter(({ hasAnswer }) => !hasAnswer).length;
  let best = current;
  let threshold = 0;
  for (const { hasAnswer, answered, raw, noAnswer } of scored.toSorted((a, b) => a.noAnswer - b.noAnswer)) {
    current += hasAnswer ? raw[metric] : answered ? -1 : 0;
    if (current > best) {
      best = current;
      threshold = noAnswer;
    }
  }
  return { best: (100 * best) / scored.length, threshold };
}

/** The best over the gold answers of each score by itself. */
function bestScores(golds: string[], prediction: string, bothEmpty: 0 | 1): AnswerScores {
  const predicted = answerWords(prediction);
  let exact = 0;
  let f1 = 0;
  for (const gold of golds) {
    const expected = answerWords(gold);
    exact = Math.max(exact, Number(expected.join(" ") === predicted.join(" ")));
    f1 = Math.max(f1, wordF1(expected, predicted, bothEmpty));
  }
  return { exact, f1 };
}

/** F1 = 2PR / (P + R) over words, each counted as often as it stands in both. */
function wordF1(expected: string[], predicted: string[], bothEmpty: 0 | 1): number {
  if (expected.length === 0 && predicted.length === 0) return bothEmpty;
  const counts = new Map<string, number>();
  for (const word of expected) counts.set(word, (counts.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of predicted) {
    const left = counts.get(word) ?? 0;
    if (left === 0) continue;
    counts.set(word, left - 1);
    common++;
  }
  if (common === 0) return 0;
  const precision = common / predicted.length;
  const recall = common / expected.length;
  return (2 * precision * recall) / (precision + recall);
}

function refuseEmpty(examples: readonly QaExample[]): void {
  if (examples.length === 0)
    throw new LecternError("DATA_EMPTY", { message: "There is no example to evaluate.", expected: "at least one example" });
}

function refuseMissing(examples: readonly QaExample[], given: ReadonlyMap<string, unknown>, what: string): void {
  const missing = examples.filter((example) => !given.has(example.id));
  if (missing.length === 0) return;
  const shown = missing.slice(0, 5).map((example) => example.id);
  throw new LecternError("PREDICTIONS_MISSING", {
    message: `${missing.length} of ${examples.length} questions have no ${what.replace(/^an? /, "")}: ${shown.join(", ")}${missing.length > 5 ? ", …" : ""}`,
    expected: `${what} for every question of the data`,
    received: `${given.size} in all`,
    next: 'Predict on the same data that is scored; a question left unanswered has the prediction "".',
  });
}
