/**
 * Whether a reader's probabilities mean what they say: answers are put into bins by their probability p, and in each bin the mean probability is
 * set against the share that is right. Expected calibration error (Naeini et al. 2015, Guo et al. 2017): Σ nᵦ/N · |accᵦ − confᵦ|. Bins
 * are of one width and hold their upper bound, (i/B, (i + 1)/B]; the first holds 0 as well.
 */

export interface CalibrationBin {
  /** Probabilities in (low, high]. */
  low: number;
  high: number;
  count: number;
  /** Mean probability; 0 in an empty bin. */
  confidence: number;
  /** Share that is right; 0 in an empty bin. */
  accuracy: number;
}

export interface Calibration {
  bins: CalibrationBin[];
  /** Expected calibration error, from 0 to 1; 0 for no answers. */
  expectedError: number;
  /** The largest |accuracy − confidence| of a bin. */
  largestError: number;
}

/**
 * Reliability by bins, and the expected calibration error.
 * @param probabilities of the answers given, from 0 to 1
 * @param right 1 where the answer is right, else 0, in the same order
 * @example
 * calibration([0.9, 0.8], [1, 0]).expectedError; // 0.45: two bins, 0.1 and 0.8 off
 */
export function calibration(probabilities: readonly number[], right: readonly number[], binCount = 10): Calibration {
  const bins = Array.from({ length: binCount }, (_, i): CalibrationBin => ({
    low: i / binCount,
    high: (i + 1) / binCount,
    count: 0,
    confidence: 0,
    accuracy: 0,
  }));
  for (const [i, probability] of probabilities.entries()) {
    const bin = bins.find(({ high }) => probability <= high) ?? bins[binCount - 1]; // rounding may leave a sum of probabilities just above 1
    bin.count++;
    bin.confidence += probability;
    bin.accuracy += right[i];
  }
  for (const bin of bins) {
    if (bin.count === 0) continue;
    bin.confidence /= bin.count;
    bin.accuracy /= bin.count;
  }
  const errors = bins.map(({ count, confidence, accuracy }) => ({ share: count / (probabilities.length || 1), error: Math.abs(accuracy - confidence) }));
  return {
    bins,
    expectedError: errors.reduce((sum, { share, error }) => sum + share * error, 0),
    largestError: Math.max(...errors.map(({ share, error }) => (share > 0 ? error : 0))),
  };
}
