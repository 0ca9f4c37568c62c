/** From logits to the answers that are measured or written: the best by the sum of their logits, or those of transformers' pipeline. */
import type { QaExample } from "../data/examples.js";
import type { AlignToWords } from "../tasks/extractive/answer-places.js";
import type { Answer } from "../tasks/extractive/answer-spans.js";
import { type DecodedAnswers, decodeAnswers, type SpanLogits } from "../tasks/extractive/decode.js";
import type { Feature } from "../tasks/extractive/features.js";
import { decodedAsPipeline, pipelineAnswers } from "./pipeline-answers.js";

export const decodings = ["n-best", "pipeline"] as const;
export type Decoding = (typeof decodings)[number];

export interface DecodingOptions {
  readonly nBest: number;
  readonly maxAnswerLength: number;
  /** Null odds above which the answer is empty; undefined for data whose questions all have answers (SQuAD 1.1). */
  readonly nullThreshold?: number;
  /** Also what transformers' question-answering pipeline would answer; the features must have been made with `words`. */
  readonly pipeline?: boolean;
  /** Which answers are measured: the best by the sum of their logits, or those of the pipeline. Default n-best. */
  readonly decoding?: Decoding;
  /** How far the pipeline's answers are widened to words. Default auto. */
  readonly alignToWords?: AlignToWords;
}

export interface ReadAnswers {
  readonly answers: DecodedAnswers;
  /** By example id; only where they were asked for. */
  readonly pipeline?: ReadonlyMap<string, Answer>;
}

/**
 * The answers to examples. Those without features are left out.
 * @param logits of each feature, at the same index
 * @param clsId the id of the token that stands for no answer
 */
export function readAnswers(
  examples: readonly QaExample[],
  features: readonly Feature[],
  logits: readonly SpanLogits[],
  clsId: number,
  options: DecodingOptions,
): ReadAnswers {
  const { nBest, maxAnswerLength, nullThreshold, alignToWords, decoding = "n-best" } = options;
  const decoded = decodeAnswers(examples, features, logits, { nBest, maxAnswerLength, nullThreshold });
  if (!options.pipeline && decoding !== "pipeline") return { answers: decoded };
  const pipeline = pipelineAnswers(examples, features, logits, clsId, {
    handle_impossible_answer: nullThreshold !== undefined,
    align_to_words: alignToWords,
  });
  return { answers: decoding === "pipeline" ? decodedAsPipeline(decoded, pipeline) : decoded, pipeline };
}
