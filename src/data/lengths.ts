/** Statistics of lengths: what `lectern inspect` prints and a reader needs to choose max_length. */

export interface LengthStatistics {
  count: number;
  min: number;
  mean: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  max: number;
}

/**
 * Mean, extremes and percentiles; all 0 for no values.
 * @example
 * lengthStatistics([3, 1, 2]).p50; // 2
 */
export function lengthStatistics(values: Iterable<number>): LengthStatistics {
  const sorted = Float64Array.from(values).sort();
  const count = sorted.length;
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    count,
    min: count === 0 ? 0 : sorted[0],
    mean: count === 0 ? 0 : sum / count,
    p50: percentile(sorted, 50),
    p90: percentile(sorted, 90),
    p95: percentile(sorted, 95),
    p99: percentile(sorted, 99),
    max: count === 0 ? 0 : sorted[count - 1],
  };
}

/** The p-th percentile of ascending values, linear between neighbours (numpy's default). */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) return 0;
  const position = ((sorted.length - 1) * p) / 100;
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** The share of values above a limit, from 0 to 1; 0 for no values. */
export function shareOver(values: readonly number[], limit: number): number {
  return values.length === 0 ? 0 : values.filter((value) => value > limit).length / values.length;
}
