/**
 * The paired bootstrap (Efron 1979; for comparing systems: Koehn 2004): questions are drawn with replacement, each with both models' scores,
 * and the mean difference is taken of every such sample. The interval holds the middle 95% of these means.
 */
import { percentile } from "../data/lengths.js";
import { randomGenerator } from "../engine/random.js";
import { LecternError } from "../errors.js";
import type { Interval } from "./statistics.js";

export interface BootstrapOptions {
  /** The same seed gives the same interval. Default 42. */
  seed?: number;
  /** Samples drawn. Default 10,000. */
  resamples?: number;
}

export interface BootstrapResult extends Interval {
  /** Mean of a − b over the questions as they are. */
  difference: number;
  /** Share of the samples in which a's mean is above b's; ties count half. */
  shareBetter: number;
  /** The mean difference of every sample, ascending. */
  means: Float64Array;
}

/**
 * The 95% percentile interval of a mean.
 * @param scores one a question
 * @throws LecternError DATA_OPTION for no scores
 * @example
 * const { low, high } = bootstrapInterval(f1OfQuestions, { resamples: 1000 });
 */
export function bootstrapInterval(scores: readonly number[], options?: BootstrapOptions): Interval {
  const { low, high } = pairedBootstrap(scores, new Array<number>(scores.length).fill(0), options);
  return { low, high };
}

/**
 * The mean of a − b with its 95% percentile interval.
 * @param a scores of one model, one a question
 * @param b scores of the other on the same questions, in the same order
 * @throws LecternError DATA_OPTION for lists of different lengths, or none
 * @example
 * const { difference, low, high } = pairedBootstrap(f1OfOne, f1OfOther, { seed: 7 });
 */
export function pairedBootstrap(a: readonly number[], b: readonly number[], options: BootstrapOptions = {}): BootstrapResult {
  const { seed = 42, resamples = 10_000 } = options;
  const count = a.length;
  if (count === 0 || b.length !== count || resamples < 1) {
    throw new LecternError("DATA_OPTION", {
      message: "Two models can only be compared on the same questions.",
      expected: "as many scores of the one as of the other, at least one, and at least one resample",
      received: `${count} and ${b.length} scores, ${resamples} resamples`,
    });
  }
  const differences = Float64Array.from(a, (score, i) => score - b[i]);
  const random = randomGenerator(seed);
  const means = new Float64Array(resamples);
  for (let sample = 0; sample < resamples; sample++) {
    let sum = 0;
    // 32 bits spread over the questions: none is favoured by more than count/2³², and a hundred million draws take a second
    for (let drawn = 0; drawn < count; drawn++) sum += differences[Math.floor((random.uint32() / 0x100000000) * count)];
    means[sample] = sum / count;
  }
  means.sort();
  const better = means.reduce((total, mean) => total + (mean > 0 ? 1 : mean === 0 ? 0.5 : 0), 0);
  return {
    difference: differences.reduce((sum, value) => sum + value, 0) / count,
    low: percentile(means, 2.5),
    high: percentile(means, 97.5),
    shareBetter: better / resamples,
    means,
  };
}
