/**
 * How the samples of an optimizer step are cut into micro-batches: sorted by length, so that almost nothing is padding, and as many
 * together as keep the matrix products busy and the activations in the caches. The cut changes no gradient.
 */
import { totalmem } from "node:os";
import type { MicroBatch } from "../engine/index.js";
import { collate, groupByLength } from "../tasks/extractive/collate.js";
import type { Feature } from "../tasks/extractive/features.js";
import type { Reader } from "../tasks/extractive/reader.js";
import type { Batch } from "./batches.js";
import type { Recipe } from "./recipe.js";

/** Tokens of an automatic micro-batch, padding included: of one that all threads compute, and of one that a thread has for itself. */
const sharedTokens = 768;
const ownTokens = 512;

/** More threads than this share each micro-batch: as many copies of the gradients would cost more memory than they save time. */
const mostOwnThreads = 4;
/** Tokens that a thread should have of a step: with 133 each, two threads take 4 to 8 % less time than together; less was not measured. */
const leastOwnStep = 128;
/** The part of the machine's memory that copies of the gradients may take. */
const copiesShare = 1 / 8;

/** Samples whose gradients make one update. */
export function samplesPerStep(recipe: Recipe): number {
  return recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps;
}

/**
 * Micro-batches computed side by side, each on one thread: what the recipe says, else one a thread where threads are few, steps large, and
 * memory allows for as many gradients; 1 is one after the other, each on all threads.
 */
export function microBatchesAtOnce(
  recipe: Recipe,
  features: readonly Feature[],
  on: { threads: number; gradientBytes: number; memory?: number },
): number {
  if (recipe.micro_batches_at_once !== "auto") return recipe.micro_batches_at_once;
  if (recipe.micro_batch_size !== "auto") return 1; // who sets the size may do so for the memory's sake
  const { threads, gradientBytes, memory = memoryLimit() } = on;
  const tokens = features.reduce((sum, { length }) => sum + (recipe.pad_to_max_length ? recipe.max_length : length), 0);
  const samples = samplesPerStep(recipe);
  const isWorthIt = threads <= Math.min(mostOwnThreads, samples) && (samples * tokens) / features.length >= leastOwnStep * threads;
  return isWorthIt && (threads - 1) * gradientBytes <= copiesShare * memory ? threads : 1;
}

/** Bytes that this process may use: those of the machine, or of the container around it. */
function memoryLimit(): number {
  return Math.min(process.constrainedMemory() || Infinity, totalmem()); // 0, or more than there is, where no limit is set
}

/**
 * Cuts a batch into micro-batches of like length, of which `lanes` are computed at once; samples keep their place in the step as identity,
 * which dropout depends on.
 */
export function microBatchCutter(recipe: Recipe, reader: Reader, features: readonly Feature[], lanes: number): (batch: Batch) => MicroBatch[] {
  const padTo = recipe.pad_to_max_length ? recipe.max_length : undefined;
  const limits = microBatchLimits(recipe, lanes);
  return ({ step, samples }) => {
    const lengths = Array.from(samples, (index) => padTo ?? features[index].length);
    return groupByLength(lengths, limits.windows, evenShare(lengths, limits.tokens, lanes)).map((group) => {
      const chosen = group.map((place) => features[samples[place]]);
      const weight = 0.5 / samples.length; // start and end count half each
      return { ...collate(chosen, reader.encoder, { weight, padTo, padTypeId: reader.tokenizer.padTypeId }), samples: group, step };
    });
  };
}

/** At most `most` tokens, and so many that as many micro-batches of equal size as all lanes are busy with hold the whole step. */
function evenShare(lengths: readonly number[], most: number, lanes: number): number {
  if (lanes === 1 || most === Infinity) return most;
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  return Math.ceil(tokens / (lanes * Math.ceil(tokens / (lanes * most))));
}

/** Most windows and most tokens of a micro-batch. */
function microBatchLimits(recipe: Recipe, lanes: number): { windows: number; tokens: number } {
  if (recipe.micro_batch_size !== "auto") return { windows: recipe.micro_batch_size, tokens: Infinity };
  return { windows: Infinity, tokens: Math.max(lanes === 1 ? sharedTokens : ownTokens, recipe.max_length) };
}

/** For every length of window the most of them that can come together: the arena must hold each of these shapes. */
export function largestShapes(recipe: Recipe, features: readonly Feature[], lanes: number): { batch: number; seq: number }[] {
  const { windows, tokens } = microBatchLimits(recipe, lanes);
  const lengths = new Set(features.map(({ length }) => (recipe.pad_to_max_length ? recipe.max_length : length)));
  return [...lengths].map((seq) => ({ batch: Math.max(1, Math.min(windows, samplesPerStep(recipe), Math.floor(tokens / seq))), seq }));
}
