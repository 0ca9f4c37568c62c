/**
 * One optimizer step, top to bottom: forward and backward over micro-batches, the gradient's norm, clipping, the update. The loss
 * is the sum over the step's samples divided by their number in the whole step, however they are cut into micro-batches.
 */
import type { MicroBatch, ParameterStore, TrainingExecutor } from "../engine/index.js";
import { clipFactor, type GradientNorm } from "../engine/optimizers/gradient-norm.js";
import type { Optimizer } from "../engine/optimizers/optimizer.js";
import type { LecternError } from "../errors.js";
import { lossNotFinite } from "./loss-not-finite.js";
import type { StepResult, TrainStep } from "./run.js";

export interface StepParts<B> {
  readonly store: ParameterStore;
  readonly executor: TrainingExecutor;
  readonly optimizer: Optimizer;
  readonly gradientNorm: GradientNorm;
  /** Clip the gradient to this norm; 0 does not clip. */
  readonly maxGradientNorm: number;
  /** The batch cut up, each sample weighted so that the losses add up to the step's. */
  readonly microBatches: (batch: B) => readonly MicroBatch[];
  readonly count: (batch: B) => { samples: number; tokens: number };
}

export function createStep<B>(parts: StepParts<B>): TrainStep<B> {
  const { store, executor, optimizer, gradientNorm, maxGradientNorm } = parts;
  return {
    run: async (batch, rate): Promise<StepResult> => {
      const microBatches = parts.microBatches(batch);
      store.clearGradients();
      const outputs = await executor.runAll(microBatches, ["loss"]);
      const loss = outputs.reduce((sum, { loss }) => sum + loss[0], 0);
      const norm = await gradientNorm.compute();
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw await notFinite(executor, microBatches, loss, norm);
      await optimizer.update({ rate, gradientScale: clipFactor(norm, maxGradientNorm) });
      return { loss, gradientNorm: norm, ...parts.count(batch) };
    },
  };
}

/** Nothing was updated: the weights are those of the step before. */
async function notFinite(executor: TrainingExecutor, microBatches: readonly MicroBatch[], loss: number, norm: number): Promise<LecternError> {
  let where: string | undefined;
  for (const microBatch of microBatches) where ??= await executor.firstNonFinite(microBatch);
  return lossNotFinite({
    message: `Training step ${microBatches[0].step + 1} overflowed${where === undefined ? " in the backward pass" : ` in the forward pass, first in ${where}`}.`,
    received: `a loss of ${loss} and a gradient of norm ${norm}`,
  });
}
