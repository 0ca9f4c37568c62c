/** Opens a recipe for an extractive reader: data, features, reader, optimizer, evaluation, and saving. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../checkpoint/atomic.js";
import { hubName, resolveModel } from "../checkpoint/hub.js";
import { openModelFolder } from "../checkpoint/model-folder.js";
import { readModelOrigin } from "../checkpoint/origin.js";
import { openSafetensors, writeSafetensors } from "../checkpoint/safetensors.js";
import { loadExamples, type DataReport, type QaExample } from "../data/examples.js";
import { dataIdentity } from "../data/data-identity.js";
import { dataWarnings } from "../data/report-lines.js";
import { splitExamples } from "../data/splits.js";
import { createTrainingExecutor, nativeRuntime, type Runtime } from "../engine/index.js";
import { createGradientNorm } from "../engine/optimizers/gradient-norm.js";
import { createOptimizer, type Optimizer, type OptimizerSettings } from "../engine/optimizers/optimizer.js";
import { LecternError } from "../errors.js";
import { containedFile, readContainedText } from "../files/plain-file.js";
import { dataFileName } from "../evaluate/baseline-figures.js";
import { evaluateReader, nullThresholdFor } from "../evaluate/reader-evaluation.js";
import { loadWeights } from "../models/weights.js";
import { type Feature, type FeatureReport, makeFeatures } from "../tasks/extractive/features.js";
import {
  createReaderInference,
  describeLoading,
  openReader,
  type Reader,
  type ReaderOptions,
  saveReader,
} from "../tasks/extractive/reader.js";
import { featureLengths } from "../tasks/extractive/token-lengths.js";
import { type Batch, shuffledBatches } from "./batches.js";
import { dataChanges, type RunData } from "./data-changes.js";
import { type GivenData, givenSources } from "./given-data.js";
import { largestShapes, microBatchCutter, microBatchesAtOnce, samplesPerStep } from "./micro-batches.js";
import type { Recipe } from "./recipe.js";
import type { Evaluator, Run, Saveable } from "./run.js";
import { createStep } from "./step.js";

/**
 * @throws LecternError those of loading models and data, SEQUENCE_TOO_LONG, NOTHING_FROZEN, NOTHING_TO_TRAIN
 * @example
 * const run = await openExtractiveRun(await loadRecipe("recipes/quickstart.yaml"));
 */
export async function openExtractiveRun(recipe: Recipe, given: GivenData = {}): Promise<Run<Batch>> {
  const runtime = nativeRuntime(recipe.threads === "auto" ? {} : { threads: recipe.threads });
  const folder = await resolveModel(recipe.model, { revision: recipe.revision });
  const reader = await openReader(runtime, folder, readerOptions(recipe));
  const origin = await readModelOrigin(folder);
  checkLength(recipe, reader);
  checkFrozen(recipe, reader);

  const data = await openData(recipe, given);
  const windows = { maxLength: recipe.max_length, stride: recipe.stride ?? undefined };
  const training = await makeFeatures(data.train, reader.tokenizer, { ...windows, forTraining: true });
  const evaluation = await makeFeatures(data.evaluation, reader.tokenizer, { ...windows, forTraining: false });

  const lanes = lanesFor(recipe, training.features, runtime, reader);
  const cut = microBatchCutter(recipe, reader, training.features, lanes);
  const executor = await createTrainingExecutor(runtime, reader.network, reader.store, {
    policy: recipe.residuals,
    loss: "loss",
    seed: recipe.seed,
    lanes,
  });
  const optimizer = await createOptimizer(runtime, reader.store, optimizerSettings(recipe));
  const gradientNorm = await createGradientNorm(runtime, reader.store);
  executor.reserve(largestShapes(recipe, training.features, lanes));

  return {
    step: createStep<Batch>({
      store: reader.store,
      executor,
      optimizer,
      gradientNorm,
      maxGradientNorm: recipe.max_grad_norm,
      microBatches: cut,
      count: ({ samples }) => ({
        samples: samples.length,
        tokens: samples.reduce((sum, index) => sum + training.features[index].length, 0),
      }),
    }),
    batches: shuffledBatches(training.features.length, samplesPerStep(recipe), recipe.seed),
    evaluator:
      evaluation.features.length === 0 ? undefined : await createEvaluator(recipe, runtime, reader, data.evaluation, evaluation.features),
    saveable: createSaveable(reader, optimizer, {
      train: dataIdentity(data.train, recipe.train_files),
      evaluation: dataIdentity(data.evaluation, recipe.eval_files),
    }),
    card: {
      startedFrom: recipe.model,
      baseModel: hubName(recipe.model) ?? (origin.baseModel === undefined ? undefined : hubName(origin.baseModel)),
      license: origin.license,
      languages: origin.languages,
      pipelineTag: "question-answering",
      taskName: "Extractive question answering",
      trainDatasets: recipe.train_files,
      evaluationDatasets: recipe.eval_files,
      trainSamples: training.report.examples,
      evaluationSamples: evaluation.report.examples,
      trainedParameters: reader.store.groups.flatMap(({ parameters }) => parameters).reduce((sum, { length }) => sum + length, 0),
    },
    histograms: lengthHistograms(training.features, reader.tokenizer.pairSpecialTokens, recipe.stride ?? undefined),
    describe: () => [
      ...describeLoading(folder, reader.loaded),
      ...data.reports.flatMap(dataWarnings),
      describeFeatures("training", training.report),
      ...(evaluation.features.length > 0 ? [describeFeatures("evaluation", evaluation.report)] : []),
    ],
    close: async () => {
      executor.release();
      optimizer.release();
      gradientNorm.release();
    },
  };
}

/** Micro-batches that training computes at once. */
export function lanesFor(recipe: Recipe, features: readonly Feature[], { threads }: Runtime, { store }: Reader): number {
  return microBatchesAtOnce(recipe, features, { threads, gradientBytes: store.gradients?.byteLength ?? 0 });
}

/** How long the training data are in tokens: what max_length and stride are judged by. */
function lengthHistograms(features: readonly Feature[], specialTokens: number, stride: number | undefined): Record<string, number[]> {
  const { question, context, answer } = featureLengths(features, { specialTokens, stride });
  return {
    "data/question_tokens": question,
    "data/context_tokens": context,
    "data/answer_tokens": answer,
    "data/window_tokens": features.map(({ length }) => length),
  };
}

/** What a recipe says of the reader itself: its loss, its dropout, and which of its parameters are trained. */
export function readerOptions(recipe: Recipe): ReaderOptions {
  const frozen = recipe.frozen_parameters.map(globPattern);
  return {
    seed: recipe.seed,
    maskPadding: recipe.mask_padding_in_loss,
    trainable: (name) => !frozen.some((pattern) => pattern.test(name)),
    dropout: { hidden: recipe.hidden_dropout_prob, attention: recipe.attention_probs_dropout_prob },
  };
}

/** Training and evaluation examples as the recipe names them. */
async function openData(recipe: Recipe, given: GivenData): Promise<{ train: QaExample[]; evaluation: QaExample[]; reports: DataReport[] }> {
  const [trainSources, evaluationSources] = [recipe.train_files, recipe.eval_files].map((names) => givenSources(names, given));
  const { columns, max_bad_rows: maxBadRows } = recipe;
  const loaded = await loadExamples(trainSources, { limit: recipe.max_train_samples, columns, maxBadRows });
  if (evaluationSources.length > 0) {
    const evaluation = await loadExamples(evaluationSources, { split: "evaluation", limit: recipe.max_eval_samples, columns, maxBadRows });
    return { train: loaded.examples, evaluation: evaluation.examples, reports: [loaded.report, evaluation.report] };
  }
  if (recipe.validation_split === 0) return { train: loaded.examples, evaluation: [], reports: [loaded.report] };
  const { train, heldOut } = splitExamples(loaded.examples, {
    fraction: recipe.validation_split,
    seed: recipe.validation_seed,
    by: "context",
  });
  return { train, evaluation: heldOut.slice(0, recipe.max_eval_samples), reports: [loaded.report] };
}

async function createEvaluator(
  recipe: Recipe,
  runtime: Runtime,
  reader: Reader,
  examples: QaExample[],
  features: Feature[],
): Promise<Evaluator> {
  const program = await createReaderInference(runtime, reader);
  const nullThreshold = nullThresholdFor(examples, {
    threshold: recipe.null_score_diff_threshold,
    negatives: recipe.version_2_with_negative,
  });
  return {
    run: async (onProgress, signal) => {
      const { metrics } = await evaluateReader(reader, program, examples, features, {
        batchSize: recipe.per_device_eval_batch_size,
        padTo: recipe.pad_to_max_length ? recipe.max_length : undefined,
        nBest: recipe.n_best_size,
        maxAnswerLength: recipe.max_answer_length,
        nullThreshold,
        onProgress,
        signal,
      });
      return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value]));
    },
  };
}

const optimizerFile = "optimizer.safetensors";
const progressFile = "optimizer.json";

function createSaveable(reader: Reader, optimizer: Optimizer, data: RunData): Saveable {
  return {
    saveModel: async (folder) => {
      await saveReader(folder, reader);
      await writeFileAtomic(join(folder, dataFileName), `${JSON.stringify(data, null, 2)}\n`);
    },
    loadModel: async (folder) => {
      const { weights } = await openModelFolder(folder);
      try {
        loadWeights(reader.store, weights, { prefix: reader.encoder.prefix, seed: 0 });
      } finally {
        weights.close();
      }
    },
    saveState: async (folder) => {
      const tensors = optimizer
        .state()
        .map(({ name, tensor }) => ({ name, dtype: "F32" as const, shape: [...tensor.shape], data: tensor.data as Float32Array }));
      await writeSafetensors(join(folder, optimizerFile), tensors);
      await writeFile(join(folder, progressFile), `${JSON.stringify({ name: optimizer.name, step: optimizer.step })}\n`);
    },
    loadState: async (folder) => {
      const saved = readOptimizerProgress(folder);
      if (saved.name !== optimizer.name) throw otherOptimizer(folder, saved.name, optimizer.name);
      const source = openSafetensors(containedFile(folder, optimizerFile, "the optimizer's state"));
      try {
        for (const { name, tensor } of optimizer.state()) {
          const { shape } = source.info(name);
          if (shape.join() !== tensor.shape.join()) throw otherOptimizer(folder, `${name} [${shape.join()}]`, `${name} [${tensor.shape.join()}]`);
          source.readFloat32(name, tensor.data as Float32Array);
        }
      } finally {
        source.close();
      }
      optimizer.step = saved.step;
    },
    changes: (folder) => dataChanges(folder, data),
  };
}

const optimizerProgress = z.object({ name: z.string(), step: z.number().int().nonnegative() });

function readOptimizerProgress(folder: string): z.infer<typeof optimizerProgress> {
  const text = readContainedText(folder, progressFile, { what: "how far the optimizer has come", limit: 2 ** 16 });
  try {
    return optimizerProgress.parse(JSON.parse(text));
  } catch (error) {
    throw new LecternError(
      "CHECKPOINT_INCOMPLETE",
      { message: `${join(folder, progressFile)} is damaged.`, received: text.slice(0, 60), next: "Resume from another checkpoint." },
      { cause: error },
    );
  }
}

/** What a recipe says of the optimizer. */
export function optimizerSettings(recipe: Recipe): OptimizerSettings {
  switch (recipe.optim) {
    case "adamw":
      return {
        name: "adamw",
        beta1: recipe.adam_beta1,
        beta2: recipe.adam_beta2,
        epsilon: recipe.adam_epsilon,
        weightDecay: recipe.weight_decay,
      };
    case "adafactor":
      return { name: "adafactor", weightDecay: recipe.weight_decay, scaleParameter: false, relativeStep: false };
    case "sgd":
      return { name: "sgd", weightDecay: recipe.weight_decay };
  }
}

function describeFeatures(what: string, report: FeatureReport): string {
  const extras = [
    report.impossibleExamples > 0 ? `${report.impossibleExamples} without an answer` : "",
    report.skippedExamples > 0 ? `${report.skippedExamples} skipped: no answer found in the context` : "",
    report.answersCutOff > 0 ? `${report.answersCutOff} whose answer no window holds whole` : "",
    report.questionsCut > 0 ? `${report.questionsCut} with a question cut short` : "",
  ].filter((part) => part !== "");
  const mean = report.windows === 0 ? 0 : Math.round(report.tokens / report.windows);
  return `${what}: ${report.examples.toLocaleString("en")} questions in ${report.windows.toLocaleString("en")} windows of ${mean} tokens on average${extras.length > 0 ? `; ${extras.join("; ")}` : ""}`;
}

function globPattern(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${escaped}$`);
}

function checkLength(recipe: Recipe, { encoder }: Reader): void {
  if (recipe.max_length <= encoder.maxLength) return;
  throw new LecternError("SEQUENCE_TOO_LONG", {
    message: `max_length is longer than ${recipe.model} can read.`,
    expected: `at most ${encoder.maxLength} tokens`,
    received: String(recipe.max_length),
    next: `set max_length to ${encoder.maxLength} or less; longer contexts are read in windows`,
  });
}

/** A pattern with a slip in it would train what should be frozen, and no figure would show it. */
function checkFrozen(recipe: Recipe, { store }: Reader): void {
  const names = [...store.parameters.keys()];
  const idle = recipe.frozen_parameters.find((pattern) => !names.some((name) => globPattern(pattern).test(name)));
  if (idle !== undefined) {
    throw new LecternError("NOTHING_FROZEN", {
      message: `frozen_parameters has a pattern that no parameter of ${recipe.model} matches.`,
      expected: `patterns on names such as ${names[0]} and ${names[names.length - 1]}`,
      received: idle,
      next: "the pattern must match the whole name: begin it with * where it stands for the end of one",
    });
  }
  if (store.trainedLength === 0) {
    throw new LecternError("NOTHING_TO_TRAIN", {
      message: "frozen_parameters freezes every parameter.",
      expected: "patterns that leave something to train",
      received: recipe.frozen_parameters.join(", "),
    });
  }
}

function otherOptimizer(folder: string, received: string, expected: string): LecternError {
  return new LecternError("CHECKPOINT_MISMATCH", {
    message: `The checkpoint ${folder} was written by another optimizer.`,
    expected,
    received,
    next: `set optim=${received}, or start a new run`,
  });
}
