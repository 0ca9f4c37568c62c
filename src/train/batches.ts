/**
 * Which samples make which optimizer step. Every epoch is a permutation of all samples, drawn from the seed and the epoch's
 * number, and cut into steps; what a step holds is a function of seed and step alone, so a resumed run sees the same.
 */
import { permutation } from "../engine/random.js";
import type { BatchOrder } from "./run.js";

/** The samples of one optimizer step. */
export interface Batch {
  /** Global step, from 0. */
  readonly step: number;
  /** Indices into the training samples. */
  readonly samples: Int32Array;
}

/** Keeps the order of samples apart from other uses of the seed. */
const orderStream = 0x0bac;

/** @param perStep samples of an optimizer step; the last step of an epoch takes what is left. */
export function shuffledBatches(count: number, perStep: number, seed: number): BatchOrder<Batch> {
  const stepsPerEpoch = Math.ceil(count / perStep);
  let current: { epoch: number; order: Int32Array } | undefined;
  return {
    stepsPerEpoch,
    batch: (step) => {
      const epoch = Math.floor(step / stepsPerEpoch);
      if (current?.epoch !== epoch) current = { epoch, order: permutation(count, seed, orderStream + epoch) };
      const from = (step % stepsPerEpoch) * perStep;
      return { step, samples: current.order.subarray(from, Math.min(from + perStep, count)) };
    },
  };
}
