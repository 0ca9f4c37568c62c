/** How much memory a recipe's training takes, by residual policy, without training: sizes follow from the shapes. */
import { resolveModel } from "../checkpoint/hub.js";
import { loadExamples } from "../data/examples.js";
import { createTrainingExecutor, nativeRuntime, type ResidualPolicy } from "../engine/index.js";
import { makeFeatures } from "../tasks/extractive/features.js";
import { openReader } from "../tasks/extractive/reader.js";
import { readerOptions } from "./extractive-run.js";
import { largestShapes } from "./micro-batches.js";
import type { Recipe } from "./recipe.js";

export interface MemoryEstimate {
  /** Bytes of weights, of gradients, and of AdamW's two moments. */
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  /** The micro-batch with the largest arena, and its bytes under each policy: activations, residuals, masks and their gradients at their peak. */
  readonly activations: Readonly<Record<ResidualPolicy, { readonly bytes: number; readonly batch: number; readonly seq: number }>>;
}

const policies: readonly ResidualPolicy[] = ["keep", "recompute", "checkpoint"];
const statesPerParameter = { adamw: 2, adafactor: 0, sgd: 0 } as const;

export async function estimateMemory(recipe: Recipe): Promise<MemoryEstimate> {
  const runtime = nativeRuntime();
  const reader = await openReader(runtime, await resolveModel(recipe.model, { revision: recipe.revision }), readerOptions(recipe));
  const { examples } = await loadExamples(recipe.train_files, { limit: recipe.max_train_samples });
  const { features } = await makeFeatures(examples, reader.tokenizer, { maxLength: recipe.max_length, stride: recipe.stride, forTraining: true });
  const shapes = largestShapes(recipe, features);
  const measured = [];
  for (const policy of policies) {
    const executor = await createTrainingExecutor(runtime, reader.network, reader.store, { policy, loss: "loss", seed: recipe.seed });
    const sizes = shapes.map((shape) => ({ bytes: executor.arenaBytes(shape), ...shape }));
    measured.push([policy, sizes.reduce((most, size) => (size.bytes > most.bytes ? size : most))] as const);
    executor.release();
  }
  const trained = reader.store.gradients?.byteLength ?? 0;
  return {
    weights: reader.store.weights.byteLength,
    gradients: trained,
    optimizer: trained * statesPerParameter[recipe.optim],
    activations: Object.fromEntries(measured) as MemoryEstimate["activations"],
  };
}
