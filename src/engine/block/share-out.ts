/**
 * Which lane computes what: the longest first, each to the lane that has the least so far (LPT, Graham 1969; no schedule is shorter by more
 * than a quarter). A function of the costs alone, so that sums over a lane's results are the same whenever they are made.
 * @returns for each of `lanes` the indices into `costs` that are its own, the longest first
 */
export function shareOut(costs: readonly number[], lanes: number): number[][] {
  const shares = Array.from({ length: lanes }, () => ({ load: 0, indices: [] as number[] }));
  for (const index of costs.map((_, at) => at).sort((a, b) => costs[b] - costs[a] || a - b)) {
    const least = shares.reduce((best, share) => (share.load < best.load ? share : best));
    least.load += costs[index];
    least.indices.push(index);
  }
  return shares.map(({ indices }) => indices);
}
