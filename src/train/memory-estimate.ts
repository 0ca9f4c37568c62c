/** How much memory a recipe's training takes, by residual policy, without training: sizes follow from the shapes. */
import { resolveModel } from "../checkpoint/hub.js";
import { loadExamples } from "../data/examples.js";
import { createTrainingExecutor, nativeRuntime, type ResidualPolicy, type Runtime } from "../engine/index.js";
import { createOptimizer } from "../engine/optimizers/optimizer.js";
import { makeFeatures } from "../tasks/extractive/features.js";
import { openReader, type Reader } from "../tasks/extractive/reader.js";
import { lanesFor, optimizerSettings, readerOptions } from "./extractive-run.js";
import { largestShapes } from "./micro-batches.js";
import type { Recipe } from "./recipe.js";

export interface MemoryEstimate {
  /** Micro-batches computed at once: each has gradients and activations of its own. */
  readonly atOnce: number;
  /** Bytes of weights, of gradients (of all micro-batches at once), and of the optimizer's state. */
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  /** Bytes of the random elements that dropout masks are copied from. */
  readonly dropout: number;
  /**
   * The micro-batch that needs the most, and what as many of it as are computed at once take under each policy, in bytes: activations,
   * residuals, masks and their gradients at their peak.
   */
  readonly activations: Readonly<Record<ResidualPolicy, { readonly bytes: number; readonly batch: number; readonly seq: number }>>;
}

const policies: readonly ResidualPolicy[] = ["keep", "recompute", "checkpoint"];

export async function estimateMemory(recipe: Recipe): Promise<MemoryEstimate> {
  const runtime = nativeRuntime(recipe.threads === "auto" ? {} : { threads: recipe.threads });
  const reader = await openReader(runtime, await resolveModel(recipe.model, { revision: recipe.revision }), readerOptions(recipe));
  const { columns, max_train_samples: limit, max_bad_rows: maxBadRows } = recipe;
  const { examples } = await loadExamples(recipe.train_files, { limit, columns, maxBadRows });
  const { features } = await makeFeatures(examples, reader.tokenizer, { maxLength: recipe.max_length, stride: recipe.stride ?? undefined, forTraining: true });
  const atOnce = lanesFor(recipe, features, runtime, reader);
  const shapes = largestShapes(recipe, features, atOnce);
  const measured = [];
  let dropout = 0;
  for (const policy of policies) {
    const executor = await createTrainingExecutor(runtime, reader.network, reader.store, { policy, loss: "loss", seed: recipe.seed });
    const sizes = shapes.map((shape) => ({ bytes: atOnce * executor.arenaBytes(shape), ...shape }));
    measured.push([policy, sizes.reduce((most, size) => (size.bytes > most.bytes ? size : most))] as const);
    dropout = executor.bankBytes;
    executor.release();
  }
  return {
    atOnce,
    weights: reader.store.weights.byteLength,
    gradients: atOnce * (reader.store.gradients?.byteLength ?? 0),
    optimizer: await optimizerBytes(runtime, reader, recipe),
    dropout,
    activations: Object.fromEntries(measured) as MemoryEstimate["activations"],
  };
}

/** What an optimizer keeps is its own affair: it is asked. (Memory that is only allocated takes none yet.) */
async function optimizerBytes(runtime: Runtime, { store }: Reader, recipe: Recipe): Promise<number> {
  const optimizer = await createOptimizer(runtime, store, optimizerSettings(recipe));
  const elements = optimizer.state().reduce((sum, { tensor }) => sum + tensor.data.length, 0);
  optimizer.release();
  return elements * Float32Array.BYTES_PER_ELEMENT;
}
