/**
 * Dropout masks that depend on seed, step, sample and place only: the same for any number of threads and any split into
 * micro-batches, the same after resume. The random elements come from a bank drawn once from the seed; every row of a mask
 * (the last axis) is a stretch of the bank whose start is a hash of the row's identity. Filling a mask is then copying, a few
 * gigabytes a second, where drawing numbers costs more than a nanosecond an element.
 */
import { randomGenerator } from "../random.js";

/** Elements of a bank: 16 MiB of float32, so that rows of one step seldom overlap. */
const bankLength = 1 << 22;
/** Rows start at multiples of this, which keeps copies aligned. */
const grain = 4;
/** Starts leave room for the widest row there may be, so that a row's start does not depend on its width: padding changes no mask. */
const widestRow = 1 << 15;
const starts = (bankLength - widestRow) / grain;

export interface DropoutKey {
  readonly seed: number;
  /** Optimizer step, 0-based. */
  readonly step: number;
  /** Place in the network: which call, which site of it. */
  readonly place: number;
  /** For each sample of the micro-batch, what identifies it within the step. */
  readonly samples: ArrayLike<number>;
}

const banks = new Map<string, Float32Array>();

/** The elements 0 (with probability `rate`) and 1/(1 − rate), drawn from the seed; kept for the life of the process. */
function bankOf(seed: number, rate: number): Float32Array {
  const key = `${seed} ${rate}`;
  let bank = banks.get(key);
  if (bank === undefined) {
    bank = new Float32Array(bankLength);
    const kept = Math.fround(1 / (1 - rate));
    const threshold = Math.round(rate * 0x1_0000_0000);
    const random = randomGenerator(seed, 0xd509);
    for (let i = 0; i < bankLength; i++) bank[i] = random.uint32() < threshold ? 0 : kept;
    banks.set(key, bank);
  }
  return bank;
}

/** A bijective scramble of 32 bits (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Fills `mask`, of `shape` [samples, …, width], for a rate. */
export function fillDropoutMask(mask: Float32Array, shape: readonly number[], rate: number, key: DropoutKey): void {
  const bank = bankOf(key.seed, rate);
  const width = shape[shape.length - 1];
  const samples = shape[0];
  const outer = shape.slice(1, -2).reduce((product, size) => product * size, 1);
  const rows = shape.length > 2 ? shape[shape.length - 2] : 1;
  if (width > widestRow) throw new Error(`internal: dropout rows should have at most ${widestRow} elements, got ${width}`);
  let at = 0;
  for (let sample = 0; sample < samples; sample++) {
    // Four 32-bit words of identity, each mixed in: counters never wrap into one another.
    let base = mix(key.seed ^ 0x5bd1e995);
    base = mix(base ^ Math.imul(key.step | 0, 0x27d4eb2f));
    base = mix(base + Math.floor(key.step / 0x1_0000_0000));
    base = mix(base ^ Math.imul(key.place, 0x165667b1));
    base = mix(base ^ Math.imul(key.samples[sample] | 0, 0x9e3779b1));
    for (let group = 0; group < outer; group++) {
      const head = mix(base + Math.imul(group + 1, 0x85ebca77));
      for (let row = 0; row < rows; row++) {
        const from = ((mix(head ^ Math.imul(row + 1, 0xc2b2ae3d)) >>> 0) % starts) * grain;
        mask.set(bank.subarray(from, from + width), at);
        at += width;
      }
    }
  }
}
