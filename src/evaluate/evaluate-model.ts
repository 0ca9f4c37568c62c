/** From a model's folder to its evaluation in one call: what `lectern evaluate` does, and a program that wants a report. */
import { resolveModel } from "../checkpoint/hub.js";
import type { QaExample } from "../data/examples.js";
import { nativeRuntime, type Runtime } from "../engine/index.js";
import { makeFeatures } from "../tasks/extractive/features.js";
import { createReaderInference, describeLoading, openReader } from "../tasks/extractive/reader.js";
import { featureLengths, type TokenLengths } from "../tasks/extractive/token-lengths.js";
import { type EvaluationOptions, evaluateReader, type ReaderEvaluation } from "./reader-evaluation.js";

export interface ModelEvaluationOptions extends Partial<EvaluationOptions> {
  /** Tokens of a window at most. Default 384, or what the model can read. */
  readonly maxLength?: number;
  /** Tokens that two windows share. Default 128. */
  readonly stride?: number;
  /** Initialises the head of a model that has none. Default 42. */
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
}

/**
 * Answers all questions with a model, and measures the answers.
 * @param model folder of a model, or its name on the Hugging Face Hub
 * @throws LecternError those of loading models, TOKENIZER_WINDOW, DATA_ANSWERS
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
  const { maxLength = 384, stride = 128, seed = 42, revision, onnxFile, runtime = nativeRuntime(), onNote, ...decoding } = options;
  const folder = await resolveModel(model, { revision });
  const reader = await openReader(runtime, folder, { seed, maskPadding: true, onnxFile });
  for (const line of describeLoading(folder, reader.loaded)) onNote?.(line);
  const { features } = await makeFeatures(examples, reader.tokenizer, {
    maxLength: Math.min(maxLength, reader.encoder.maxLength),
    stride,
    forTraining: false,
  });
  const program = await createReaderInference(runtime, reader);
  try {
    const evaluation = await evaluateReader(reader, program, examples, features, {
      batchSize: 16,
      nBest: 20,
      maxAnswerLength: 30,
      ...decoding,
    });
    return { name: model, folder, tokenLengths: featureLengths(features, { specialTokens: reader.tokenizer.pairSpecialTokens, stride }), ...evaluation };
  } finally {
    program.release();
  }
}
