/** How well a reader answers a data set: loss, exact match and F1 as the SQuAD scripts count them, and the answers themselves. */
import type { QaExample } from "../data/examples.js";
import type { InferenceExecutor } from "../engine/index.js";
import { type DecodedAnswers, decodeAnswers } from "../tasks/extractive/decode.js";
import type { Feature } from "../tasks/extractive/features.js";
import { type InferOptions, inferSpans } from "../tasks/extractive/infer.js";
import type { Reader } from "../tasks/extractive/reader.js";
import { evaluateSquad1, evaluateSquad2 } from "./squad.js";

export interface EvaluationOptions extends InferOptions {
  readonly nBest: number;
  readonly maxAnswerLength: number;
  /** Null odds above which the answer is empty; undefined for data whose questions all have answers (SQuAD 1.1). */
  readonly nullThreshold?: number;
}

export interface ReaderEvaluation {
  /** loss, exact, f1, runtime (seconds), samples_per_second (windows), and for SQuAD 2.0 all names of the official script. */
  readonly metrics: Record<string, number>;
  readonly answers: DecodedAnswers;
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
  const answers = decodeAnswers(examples, features, logits, {
    nBest: options.nBest,
    maxAnswerLength: options.maxAnswerLength,
    nullThreshold: options.nullThreshold,
  });
  const scores =
    options.nullThreshold === undefined
      ? squad1(examples, answers)
      : { ...evaluateSquad2(examples, answers.predictions, { noAnswerScores: answers.nullOdds }) };
  return { metrics: { loss, ...scores, runtime, samples_per_second: features.length / runtime }, answers };
}

function squad1(examples: readonly QaExample[], { predictions }: DecodedAnswers): Record<string, number> {
  const { exact_match: exact, f1 } = evaluateSquad1(examples, predictions);
  return { exact, f1 };
}
