/**
 * What a training run is made of, as the loop sees it: something that makes an optimizer step, something that says which batch comes when,
 * something that evaluates, and something that can be saved. A task (extractive, …) opens a `Run` from a recipe; the loop in train.ts, the
 * checkpoints and the command line know nothing else of models and tasks. `B` is the task's own batch type.
 */
import type { ModelCardFacts } from "./model-card.js";

/** What one optimizer step did. */
export interface StepResult {
  /** Mean loss over the samples of the step, before the update. */
  loss: number;
  /** Global L2 norm of the gradient before clipping. */
  gradientNorm: number;
  samples: number;
  /** Real tokens, padding not counted. */
  tokens: number;
}

/** Forward, backward, clip and update of one batch, in place. */
export interface TrainStep<B> {
  /** @param rate learning rate of this step, as the schedule gives it. */
  run(batch: B, rate: number): Promise<StepResult>;
}

/** The order of the samples: a pure function of seed and step, so that a resumed run sees what an uninterrupted one would have seen. */
export interface BatchOrder<B> {
  /** Optimizer steps in one epoch, the last, partial batch included. */
  readonly stepsPerEpoch: number;
  /** @param step global step, counted from 0. */
  batch(step: number): B;
}

/** Model and optimizer state, to and from a folder. */
export interface Saveable {
  /** Writes the model folder (config.json, model.safetensors, tokenizer) into an existing folder. */
  saveModel(folder: string): Promise<void>;
  /** Writes optimizer state, and whatever else changes results, into an existing folder. */
  saveState(folder: string): Promise<void>;
  loadModel(folder: string): Promise<void>;
  loadState(folder: string): Promise<void>;
  /** What is no longer as it was when a folder was saved, besides the recipe, in sentences: other data under the same names. */
  changes(folder: string): Promise<string[]>;
}

export interface Evaluator {
  /**
   * Evaluates the model as it is now. Names start with `eval_` as Hugging Face's do: eval_loss, eval_exact, eval_f1, eval_runtime (seconds),
   * eval_samples_per_second, …
   *
   * @param onProgress samples done, of how many.
   * @param signal when aborted, the evaluation stops before its next batch by throwing `signal.reason`; it is made again on resume.
   */
  run(onProgress?: (done: number, total: number) => void, signal?: AbortSignal): Promise<Record<string, number>>;
}

/** Everything a recipe opened: the loop, the files and the command line need nothing more. */
export interface Run<B> {
  readonly step: TrainStep<B>;
  readonly batches: BatchOrder<B>;
  /** Absent when the recipe names no evaluation data. */
  readonly evaluator: Evaluator | undefined;
  readonly saveable: Saveable;
  /** What the model card says of the model and its data. */
  readonly card: ModelCardFacts;
  /** Distributions worth a TensorBoard histogram at the start, by tag; for example the token lengths of the training windows. */
  readonly histograms: Readonly<Record<string, ArrayLike<number>>>;
  /** Lines to be said once before training: parameters, samples, what was initialised, what was left out. */
  describe(): string[];
  /** Frees native memory. */
  close(): Promise<void>;
}
