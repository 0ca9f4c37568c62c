/**
 * How long a person waits for one answer: questions are answered one after another, each alone, with tokenising and decoding, as `lectern ask`
 * and a server without other callers do. Batches, by which an evaluation is fast, would hide it.
 */
import type { QaExample } from "../data/examples.js";
import type { InferenceExecutor } from "../engine/index.js";
import { decodeAnswers } from "../tasks/extractive/decode.js";
import { makeFeatures } from "../tasks/extractive/features.js";
import { inferSpans } from "../tasks/extractive/infer.js";
import type { Reader } from "../tasks/extractive/reader.js";

export interface LatencyOptions {
  /** Questions asked, spread evenly over the examples. */
  readonly questions: number;
  readonly maxLength: number;
  readonly stride: number | undefined;
  readonly batchSize: number;
  readonly padTo?: number;
  readonly signal?: AbortSignal;
}

/** Seconds that each question took, in the order of the examples. The first is asked once more before, and that is not counted. */
export async function questionLatencies(
  reader: Reader,
  program: InferenceExecutor,
  examples: readonly QaExample[],
  { questions, maxLength, stride, ...inferring }: LatencyOptions,
): Promise<number[]> {
  const count = Math.min(questions, examples.length);
  const chosen = Array.from({ length: count }, (_, i) => examples[Math.floor((i * examples.length) / count)]);
  const seconds: number[] = [];
  for (const example of [...chosen.slice(0, 1), ...chosen]) {
    const started = performance.now();
    const { features } = await makeFeatures([example], reader.tokenizer, { maxLength, stride, forTraining: false });
    const { logits } = await inferSpans(reader, program, features, inferring);
    decodeAnswers([example], features, logits);
    seconds.push((performance.now() - started) / 1000);
  }
  return seconds.slice(1);
}
