/** From a model's folder to its evaluation in one call: what `lectern evaluate` does, and a program that wants a report. */
import { resolveModel } from "../checkpoint/hub.js";
import type { QaExample } from "../data/examples.js";
import { nativeRuntime, type Runtime } from "../engine/index.js";
import { percentile } from "../data/lengths.js";
import { describeQuestionsCut, makeFeatures } from "../tasks/extractive/features.js";
import { createReaderInference, describeLoading, openReader } from "../tasks/extractive/reader.js";
import { featureLengths, type TokenLengths } from "../tasks/extractive/token-lengths.js";
import { bootstrapInterval } from "./bootstrap.js";
import { exampleResults, type ExampleResult } from "./example-results.js";
import { questionLatencies } from "./question-latency.js";
import { type EvaluationOptions, evaluateReader, nullThresholdFor, type ReaderEvaluation } from "./reader-evaluation.js";

export interface ModelEvaluationOptions extends Partial<Omit<EvaluationOptions, "padTo" | "pipeline">> {
  /** Tokens of a window at most. Default 384, or what the model can read. */
  readonly maxLength?: number;
  /** Tokens that two windows share; null reads one window a question, and drops the rest of its context. Default 128. */
  readonly stride?: number | null;
  /**
   * Pad every window to maxLength and let padding into the loss, as transformers' Trainer does with data padded to the maximum: the published losses.
   * Answers stay the same; it is slower. Default false.
   */
  readonly padToMaxLength?: boolean;
  /** Samples of the questions from which 95% intervals of EM and F1 are drawn (percentile bootstrap, by `seed`). Default 0: none. */
  readonly bootstrap?: number;
  /** Questions that are also asked one by one, for the latency. Default 0: none. */
  readonly latencyQuestions?: number;
  /** Initialises the head of a model that has none, and draws the samples of `bootstrap`. Default 42. */
  readonly seed?: number;
  /** Branch, tag or commit of a model on the Hub. */
  readonly revision?: string;
  /** Run this ONNX file of the folder (`model_quantized`) instead of its weights. */
  readonly onnxFile?: string;
  readonly runtime?: Runtime;
  /** Told what is worth knowing of the loaded checkpoint. */
  readonly onNote?: (text: string) => void;
}

export interface ModelEvaluation extends ReaderEvaluation {
  /** The model as it was named. */
  readonly name: string;
  /** Where it lies. */
  readonly folder: string;
  /** Tokens of questions, contexts and answers, as they were read. */
  readonly tokenLengths: TokenLengths;
  /** Question by question, in the order of the examples. */
  readonly results: readonly ExampleResult[];
}

/**
 * Answers all questions with a model, and measures the answers. Beside the metrics of `evaluateReader` there are plain_exact, unigram_f1 and
 * levenshtein_similarity in percent, levenshtein_distance in characters (text-similarity.ts), model_preparation_time in seconds, and what was asked for:
 * exact_low, exact_high, f1_low, f1_high in percent, latency_median_ms and latency_p99_ms.
 * @param model folder of a model, or its name on the Hugging Face Hub
 * @throws LecternError those of loading models, TOKENIZER_WINDOW, DATA_EMPTY
 * @example
 * const { examples } = await loadExamples("starter/squad/dev.json");
 * const { metrics } = await evaluateModel("runs/quickstart", examples);
 * console.log(metrics.f1);
 */
export async function evaluateModel(
  model: string,
  examples: readonly QaExample[],
  options: ModelEvaluationOptions = {},
): Promise<ModelEvaluation> {
  const { stride: askedStride = 128, seed = 42, revision, onnxFile, runtime = nativeRuntime(), padToMaxLength = false, onNote } = options;
  const { batchSize = 16, nBest = 20, maxAnswerLength = 30, decoding, alignToWords, onProgress, signal } = options;
  const nullThreshold = options.nullThreshold ?? nullThresholdFor(examples, { threshold: 0, negatives: false });
  const folder = await resolveModel(model, { revision });
  const preparing = performance.now();
  const reader = await openReader(runtime, folder, { seed, maskPadding: !padToMaxLength, onnxFile });
  for (const line of describeLoading(folder, reader.loaded)) onNote?.(line);
  const program = await createReaderInference(runtime, reader);
  const preparation = (performance.now() - preparing) / 1000;
  try {
    const maxLength = Math.min(options.maxLength ?? 384, reader.encoder.maxLength);
    const stride = askedStride ?? undefined;
    const padTo = padToMaxLength ? maxLength : undefined;
    const { features, report } = await makeFeatures(examples, reader.tokenizer, { maxLength, stride, forTraining: false, words: true });
    if (report.questionsCut > 0) onNote?.(describeQuestionsCut(report, maxLength));
    const evaluation = await evaluateReader(reader, program, examples, features, {
      ...{ batchSize, nBest, maxAnswerLength, nullThreshold, decoding, alignToWords, padTo, onProgress, signal },
      pipeline: true,
    });
    const results = exampleResults(examples, evaluation.answers, { nullThreshold, pipeline: evaluation.pipeline });
    const asked = { questions: options.latencyQuestions ?? 0, maxLength, stride, batchSize, padTo, signal };
    const { loss, runtime: seconds, samples, windows, questions_cut, samples_per_second, steps_per_second, ...scores } = evaluation.metrics;
    return {
      ...evaluation,
      name: model,
      folder,
      tokenLengths: featureLengths(features, { specialTokens: reader.tokenizer.pairSpecialTokens, stride }),
      results,
      metrics: {
        ...{ loss, ...scores },
        ...textFigures(results),
        ...(options.bootstrap ? intervals(results, { seed, resamples: options.bootstrap }) : {}),
        ...{ runtime: seconds, samples, windows, questions_cut, samples_per_second, steps_per_second, model_preparation_time: preparation },
        ...latencyFigures(await questionLatencies(reader, program, examples, asked)),
      },
    };
  } finally {
    program.release();
  }
}

const meanOf = (results: readonly ExampleResult[], value: (result: ExampleResult) => number): number =>
  results.reduce((sum, result) => sum + value(result), 0) / results.length;

function textFigures(results: readonly ExampleResult[]): Record<string, number> {
  return {
    plain_exact: 100 * meanOf(results, ({ text }) => text.plainExact),
    unigram_f1: 100 * meanOf(results, ({ text }) => text.unigramF1),
    levenshtein_distance: meanOf(results, ({ text }) => text.distance),
    levenshtein_similarity: 100 * meanOf(results, ({ text }) => text.similarity),
  };
}

function intervals(results: readonly ExampleResult[], options: { seed: number; resamples: number }): Record<string, number> {
  const interval = (metric: "exact" | "f1"): Record<string, number> => {
    const { low, high } = bootstrapInterval(results.map((result) => result[metric]), options);
    return { [`${metric}_low`]: 100 * low, [`${metric}_high`]: 100 * high };
  };
  return { ...interval("exact"), ...interval("f1") };
}

function latencyFigures(seconds: readonly number[]): Record<string, number> {
  if (seconds.length === 0) return {};
  const sorted = Float64Array.from(seconds).sort();
  return { latency_median_ms: 1000 * percentile(sorted, 50), latency_p99_ms: 1000 * percentile(sorted, 99) };
}
