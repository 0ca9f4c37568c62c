/**
 * A data file answered into a folder, carried on where it stopped. Questions are answered in groups that depend on nothing but their place in the
 * data, each by itself: an interrupted run leaves out whole groups, and what it does later is what it would have done.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { withFileLock } from "../checkpoint/file-lock.js";
import { resolveModel } from "../checkpoint/hub.js";
import { isWeightFile } from "../checkpoint/weight-files.js";
import { examplesHash } from "../data/data-identity.js";
import type { QaExample } from "../data/examples.js";
import { nativeRuntime, type Runtime } from "../engine/index.js";
import type { AlignToWords } from "../tasks/extractive/answer-places.js";
import { describeQuestionsCut, makeFeatures } from "../tasks/extractive/features.js";
import { inferSpans } from "../tasks/extractive/infer.js";
import { createReaderInference, describeLoading, openReader, type Reader } from "../tasks/extractive/reader.js";
import { containedFile, openPlainFile } from "../files/plain-file.js";
import { type Decoding, readAnswers } from "./decoding.js";
import { answeredQuestions } from "./prediction-files.js";
import { openPredictionJournal, type PredictionIdentity } from "./prediction-journal.js";

export interface PredictOptions {
  /** Branch, tag or commit of a model on the Hub. */
  readonly revision?: string;
  readonly runtime?: Runtime;
  /** Run this ONNX file of the folder (`model_quantized`) and not its network. */
  readonly onnxFile?: string;
  /** Tokens of a window at most. Default 384, or what the model can read. */
  readonly maxLength?: number;
  /** Tokens that two windows share; null: one window a question. Default 128. */
  readonly stride?: number | null;
  /** Most windows at once. Default 16. */
  readonly batchSize?: number;
  /** Start and end candidates considered in a window, and answers kept. Default 20. */
  readonly nBest?: number;
  /** Tokens of an answer at most. Default 30. */
  readonly maxAnswerLength?: number;
  /** The best by the sum of their logits, or what transformers' pipeline answers. Default n-best. */
  readonly decoding?: Decoding;
  /** How far the pipeline's answers are widened to words. Default auto. */
  readonly alignToWords?: AlignToWords;
  /** Null odds above which the answer is ""; undefined: always answers. */
  readonly nullThreshold?: number;
  /** Initialises the head of a model that has none. Default 42. */
  readonly seed?: number;
  /** Forget predictions that are there, of whatever they are. Default false. */
  readonly restart?: boolean;
  /** Stops between two batches; what is done stays done. */
  readonly signal?: AbortSignal;
  readonly onNote?: (text: string) => void;
  /** Questions answered, of how many; first those that an earlier run answered. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Predicted {
  readonly questions: number;
  /** Of these, answered by an earlier run. */
  readonly carriedOver: number;
  /** Of those answered now: longer than half of a window, and read up to there. */
  readonly questionsCut: number;
}

/** Questions of a group: what a kill costs at most. */
const questionsAtOnce = 128;

/**
 * Writes predictions.json, null_odds.json and nbest_predictions.json. Run again after a kill, it carries on; run again when done, it does nothing.
 * @param model folder of a model, or its name on the Hugging Face Hub
 * @param folder where to; made if it does not exist
 * @throws LecternError PREDICTIONS_IN_USE, those of loading models, TOKENIZER_WINDOW, DISK_FULL, FILE_NOT_WRITABLE
 * @example
 * const { examples } = await loadExamples("questions.json", { answers: "optional" });
 * await predict("runs/quickstart", examples, "predictions");
 */
export async function predict(
  model: string,
  examples: readonly QaExample[],
  folder: string,
  options: PredictOptions = {},
): Promise<Predicted> {
  const { revision, onnxFile, runtime = nativeRuntime(), seed = 42, onNote, onProgress, signal, nullThreshold } = options;
  const { batchSize = 16, nBest = 20, maxAnswerLength = 30, stride = 128, decoding = "n-best", alignToWords = "auto" } = options;
  const modelFolder = await resolveModel(model, { revision });
  const reader = await openReader(runtime, modelFolder, { seed, maskPadding: true, onnxFile });
  for (const line of describeLoading(modelFolder, reader.loaded)) onNote?.(line);
  const maxLength = Math.min(options.maxLength ?? 384, reader.encoder.maxLength);
  const settings = { maxLength, stride, batchSize, nBest, maxAnswerLength, nullThreshold, seed, onnxFile, questionsAtOnce, ...(decoding === "pipeline" && { decoding, alignToWords }) };
  const identity: PredictionIdentity = {
    model: await modelHash(modelFolder, reader),
    data: examplesHash(examples, { answers: false }), // answers that the data may have do not matter
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, value === undefined ? "none" : String(value)])),
  };
  return withFileLock(path.join(folder, ".predictions.lock"), signal, async () => {
    const journal = await openPredictionJournal(folder, identity, options.restart ?? false);
    if (journal.isComplete) return { questions: examples.length, carriedOver: examples.length, questionsCut: 0 };
    const program = await createReaderInference(runtime, reader);
    try {
      const carriedOver = Math.min(journal.groups * questionsAtOnce, examples.length);
      let questionsCut = 0;
      onProgress?.(carriedOver, examples.length);
      for (let from = carriedOver; from < examples.length; from += questionsAtOnce) {
        const group = examples.slice(from, from + questionsAtOnce);
        const { features, report } = await makeFeatures(group, reader.tokenizer, {
          maxLength,
          stride: stride ?? undefined,
          forTraining: false,
          words: decoding === "pipeline",
        });
        questionsCut += report.questionsCut;
        const { logits } = await inferSpans(reader, program, features, {
          batchSize,
          signal,
          onProgress: (done, total) => onProgress?.(from + Math.floor((done / total) * group.length), examples.length),
        });
        const { answers } = readAnswers(group, features, logits, reader.tokenizer.clsId, { nBest, maxAnswerLength, nullThreshold, decoding, alignToWords });
        await journal.add([...answeredQuestions(answers)]);
      }
      await journal.finish();
      if (questionsCut > 0) onNote?.(describeQuestionsCut({ questionsCut, examples: examples.length - carriedOver }, maxLength));
      return { questions: examples.length, carriedOver, questionsCut };
    } finally {
      await journal.close();
      program.release();
    }
  });
}

/** Of all that the answers of a model depend on: its configuration, its tokenizer, its weights. */
async function modelHash(folder: string, { config, tokenizer }: Reader): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(config));
  for (const file of tokenizer.files) {
    if ("path" in file) await addFile(hash, file.path, file.name);
    else hash.update(`\n${file.name}\n${file.text}`);
  }
  for (const place of ["", "onnx"].filter((each) => existsSync(path.join(folder, each)))) {
    for (const file of (await readdir(path.join(folder, place))).sort()) {
      const name = path.join(place, file);
      if (/\.(safetensors|onnx|onnx_data)$/.test(file) || isWeightFile(file)) await addFile(hash, containedFile(folder, name, "weights"), name);
    }
  }
  return hash.digest("hex");
}

async function addFile(hash: Hash, file: string, name: string): Promise<void> {
  hash.update(`\n${name}\n`);
  const { descriptor } = openPlainFile(file, "a file of the model"); // closed by the stream
  for await (const chunk of createReadStream(file, { fd: descriptor, start: 0, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) hash.update(chunk);
}
