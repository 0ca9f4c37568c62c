/** How well a reader answers a data set: loss, exact match and F1 as the SQuAD scripts count them, and the answers themselves. */
import type { QaExample } from "../data/examples.js";
import type { InferenceExecutor } from "../engine/index.js";
import type { DecodedAnswers } from "../tasks/extractive/decode.js";
import type { Feature } from "../tasks/extractive/features.js";
import { type InferOptions, inferSpans } from "../tasks/extractive/infer.js";
import type { Reader } from "../tasks/extractive/reader.js";
import { type DecodingOptions, readAnswers, type ReadAnswers } from "./decoding.js";
import { exampleResults } from "./example-results.js";
import { ownFigures } from "./own-metrics.js";
import { evaluateSquad1, evaluateSquad2 } from "./squad.js";

export interface EvaluationOptions extends InferOptions, DecodingOptions {}

export interface ReaderEvaluation extends ReadAnswers {
  /**
   * loss, exact, f1; runtime (seconds), samples (questions), windows, questions_cut (longer than what is read of one); samples_per_second and steps_per_second as transformers counts them, which are
   * windows, and batches of `batchSize` windows; for SQuAD 2.0 all names of the official script; and the metrics that the program added.
   */
  readonly metrics: Record<string, number>;
}

/**
 * Null odds above which an answer is empty: where that was asked for, and for data with questions without answer, for which the metrics of
 * SQuAD 1.1 have no place. Undefined: every question is answered.
 */
export function nullThresholdFor(
  examples: readonly QaExample[],
  { threshold, negatives }: { threshold: number; negatives: boolean },
): number | undefined {
  return negatives || examples.some(({ impossible }) => impossible) ? threshold : undefined;
}

export async function evaluateReader(
  reader: Reader,
  program: InferenceExecutor,
  examples: readonly QaExample[],
  features: readonly Feature[],
  options: EvaluationOptions,
): Promise<ReaderEvaluation> {
  const started = performance.now();
  const { logits, loss } = await inferSpans(reader, program, features, options);
  const runtime = (performance.now() - started) / 1000;
  const { answers, pipeline } = readAnswers(examples, features, logits, reader.tokenizer.clsId, options);
  // The predictions have the null threshold applied already: the script's own, made for probabilities, must not hold back others.
  const scores =
    options.nullThreshold === undefined
      ? squad1(examples, answers)
      : { ...evaluateSquad2(examples, answers.predictions, { noAnswerScores: answers.nullOdds, threshold: Infinity }) };
  const own = await ownFigures(() => exampleResults(examples, answers, { nullThreshold: options.nullThreshold, pipeline }));
  const speed = {
    runtime,
    samples: examples.length,
    windows: features.length,
    questions_cut: new Set(features.flatMap(({ exampleIndex, questionCut }) => (questionCut ? [exampleIndex] : []))).size,
    samples_per_second: features.length / runtime,
    steps_per_second: Math.ceil(features.length / options.batchSize) / runtime,
  };
  return {
    metrics: { loss, ...scores, ...own, ...speed },
    answers,
    ...(pipeline && { pipeline }),
  };
}

function squad1(examples: readonly QaExample[], { predictions }: DecodedAnswers): Record<string, number> {
  const { exact_match: exact, f1 } = evaluateSquad1(examples, predictions);
  return { exact, f1 };
}
