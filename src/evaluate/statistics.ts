/**
 * What a person asks of a column of numbers, and how far a mean over n questions is to be trusted. The interval is Wilson's (1927): for a
 * share p of n, the values q with |p − q| ≤ z·√(q(1 − q)/n). It is also used for mean F1: a variable in [0, 1] with mean p has a variance of at
 * most p(1 − p), so the interval is never too narrow, and it does not collapse where all of a few questions have the same score.
 */
import { lengthStatistics, percentile } from "../data/lengths.js";

export interface Summary {
  count: number;
  mean: number;
  /** Standard deviation of the sample (n − 1); 0 for fewer than two values. */
  deviation: number;
  min: number;
  lowerQuartile: number;
  median: number;
  upperQuartile: number;
  max: number;
}

/**
 * Count, mean, deviation, quartiles and extremes, as pandas' `describe()` gives them; all 0 for no values.
 * @example
 * summarise([1, 2, 3, 4]).lowerQuartile; // 1.75
 */
export function summarise(values: readonly number[]): Summary {
  const { count, mean, min, max, p50 } = lengthStatistics(values);
  const sorted = Float64Array.from(values).sort();
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    count,
    mean,
    deviation: count < 2 ? 0 : Math.sqrt(squares / (count - 1)),
    min,
    lowerQuartile: percentile(sorted, 25),
    median: p50,
    upperQuartile: percentile(sorted, 75),
    max,
  };
}

export interface Box {
  /** Quartiles, by linear interpolation. */
  lowerQuartile: number;
  median: number;
  upperQuartile: number;
  /** The lowest and the highest value that lie at most 1.5 quartile distances beyond the box. */
  low: number;
  high: number;
  /** Values beyond these, ascending. */
  outliers: number[];
}

/**
 * A box plot of some values (Tukey 1977), as matplotlib draws it; all 0 for no values.
 * @example
 * boxOf([1, 2, 3, 4, 100]).outliers; // [100]
 */
export function boxOf(values: readonly number[]): Box {
  const sorted = Float64Array.from(values).sort();
  const [lowerQuartile, median, upperQuartile] = [25, 50, 75].map((p) => percentile(sorted, p));
  const reach = 1.5 * (upperQuartile - lowerQuartile);
  const isInside = (value: number): boolean => value >= lowerQuartile - reach && value <= upperQuartile + reach;
  const inside = sorted.filter(isInside);
  return {
    ...{ lowerQuartile, median, upperQuartile },
    low: Math.min(inside.at(0) ?? lowerQuartile, lowerQuartile),
    high: Math.max(inside.at(-1) ?? upperQuartile, upperQuartile),
    outliers: [...sorted].filter((value) => !isInside(value)),
  };
}

export interface Interval {
  low: number;
  high: number;
}

/** z of a two-sided confidence of 95%. */
const z = 1.959963984540054;

/**
 * Wilson's 95% interval of a mean of n values in [0, 1]; [0, 1] for no values.
 * @example
 * wilsonInterval(0.5, 100); // { low: 0.404, high: 0.596 }
 */
export function wilsonInterval(mean: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 };
  const centre = mean + (z * z) / (2 * n);
  const half = z * Math.sqrt((mean * (1 - mean)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) };
}
