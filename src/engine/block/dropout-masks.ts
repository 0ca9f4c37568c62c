/**
 * Dropout masks that depend on seed, step, sample and place only: the same for any number of threads and any split into
 * micro-batches, the same after resume. The random elements come from a bank drawn once from the seed; every row of a mask
 * (the last axis) is a stretch of the bank whose start is a hash of the row's identity. Filling a mask is then copying rows, a few
 * gigabytes a second, where drawing numbers costs more than a nanosecond an element.
 */
import { randomGenerator } from "../random.js";

/** Possible starts of a row: 2²⁰, at multiples of 4 elements, so that rows of one step seldom overlap and copies stay aligned. */
const startBits = 20;
const grain = 4;
/** The widest row there may be: a row's start does not depend on its width, so padding changes no mask. */
const widestRow = 1 << 15;

/** Elements of a bank: 16 MiB of float32. */
export const bankLength = (1 << startBits) * grain + widestRow;

/** Keeps the bank apart from other uses of the seed. */
const bankStream = 0xd509;

export interface DropoutKey {
  readonly seed: number;
  /** Optimizer step, 0-based. */
  readonly step: number;
  /** Place in the network: which call, which site of it. */
  readonly place: number;
  /** For each sample of the micro-batch, what identifies it within the step; undefined for a mask that all samples share. */
  readonly samples: ArrayLike<number> | undefined;
}

/** Fills a bank: 0 with probability `rate`, else 1/(1 − rate), drawn from the seed. */
export function fillDropoutBank(bank: Float32Array, seed: number, rate: number): void {
  const random = randomGenerator(seed, bankStream);
  const kept = 1 / (1 - rate);
  const threshold = rate * 0x1_0000_0000;
  for (let i = 0; i < bankLength; i++) bank[i] = random.uint32() < threshold ? 0 : kept;
}

/** A bijective scramble of 32 bits (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * Where in memory each row of a mask of `shape` [samples, …, width] is copied from, in elements, with the bank at `bank`. A mask that all
 * samples of a step share (of parameters, say) has rows in place of the samples.
 */
export function dropoutRows(bank: number, shape: readonly number[], key: DropoutKey): Uint32Array {
  const width = shape[shape.length - 1];
  const groups = shape.slice(1, -2).reduce((product, size) => product * size, 1);
  const rows = shape.length > 2 ? shape[shape.length - 2] : 1;
  if (width > widestRow) throw new Error(`internal: dropout rows should have at most ${widestRow} elements, got ${width}`);
  const starts = new Uint32Array(shape[0] * groups * rows);
  // Every word of the identity is mixed in on its own, so that counters never wrap into one another.
  let common = mix(key.seed ^ 0x5bd1e995);
  common = mix(common ^ Math.imul(key.step | 0, 0x27d4eb2f));
  common = mix(common + Math.floor(key.step / 0x1_0000_0000));
  common = mix(common ^ Math.imul(key.place, 0x165667b1));
  for (let sample = 0, at = 0; sample < shape[0]; sample++) {
    const base = mix(common ^ Math.imul(key.samples === undefined ? sample : key.samples[sample] | 0, 0x9e3779b1));
    for (let group = 0; group < groups; group++) {
      const head = mix(base + Math.imul(group + 1, 0x85ebca77));
      for (let row = 0; row < rows; row++) {
        starts[at++] = bank + (mix(head ^ Math.imul(row + 1, 0xc2b2ae3d)) >>> (32 - startBits)) * grain;
      }
    }
  }
  return starts;
}
