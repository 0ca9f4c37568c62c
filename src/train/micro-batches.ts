/**
 * How the samples of an optimizer step are cut into micro-batches: sorted by length, so that almost nothing is padding, and as many
 * together as keep the matrix products busy and the activations in the caches. The cut changes no gradient.
 */
import type { MicroBatch } from "../engine/index.js";
import { collate, groupByLength } from "../tasks/extractive/collate.js";
import type { Feature } from "../tasks/extractive/features.js";
import type { Reader } from "../tasks/extractive/reader.js";
import type { Batch } from "./batches.js";
import type { Recipe } from "./recipe.js";

/** Tokens of an automatic micro-batch, padding included. */
const microBatchTokens = 768;

/** Samples whose gradients make one update. */
export function samplesPerStep(recipe: Recipe): number {
  return recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps;
}

/** Cuts a batch into micro-batches of like length; samples keep their place in the step as identity, which dropout depends on. */
export function microBatchCutter(recipe: Recipe, reader: Reader, features: readonly Feature[]): (batch: Batch) => MicroBatch[] {
  const padTo = recipe.pad_to_max_length ? recipe.max_length : undefined;
  return ({ step, samples }) => {
    const lengths = Array.from(samples, (index) => padTo ?? features[index].length);
    const [most, tokens] = microBatchLimits(recipe);
    return groupByLength(lengths, most, tokens).map((group) => {
      const chosen = group.map((place) => features[samples[place]]);
      const weight = 0.5 / samples.length; // start and end count half each
      return { ...collate(chosen, reader.encoder, { weight, padTo, padTypeId: reader.tokenizer.padTypeId }), samples: group, step };
    });
  };
}

/** Most windows and most tokens of a micro-batch. */
function microBatchLimits(recipe: Recipe): [windows: number, tokens: number] {
  return recipe.micro_batch_size === "auto" ? [Infinity, Math.max(microBatchTokens, recipe.max_length)] : [recipe.micro_batch_size, Infinity];
}

/** For every length of window the most of them that can come together: the arena must hold each of these shapes. */
export function largestShapes(recipe: Recipe, features: readonly Feature[]): { batch: number; seq: number }[] {
  const [most, tokens] = microBatchLimits(recipe);
  const lengths = new Set(features.map(({ length }) => (recipe.pad_to_max_length ? recipe.max_length : length)));
  return [...lengths].map((seq) => ({ batch: Math.max(1, Math.min(most, samplesPerStep(recipe), Math.floor(tokens / seq))), seq }));
}
