/**
 * Successive halving (Jamieson and Talwalkar 2016): all trials train a little, the best of each η go on to the next rung, which is η times as
 * long, and so on to the full length. Pure functions, from what is known of the trials to what is done next.
 */

export interface Rungs {
  eta: number;
  /** Shares of a full training, the last one 1. */
  shares: readonly number[];
}

export function createRungs({ eta, rungs }: { eta: number; rungs: number }): Rungs {
  return { eta, shares: Array.from({ length: rungs }, (_, rung) => eta ** (rung - rungs + 1)) };
}

/** Trials that reach a rung, of so many that began. */
export function survivors(trials: number, rung: number, { eta }: Rungs): number {
  return trials === 0 ? 0 : Math.max(1, Math.floor(trials / eta ** rung));
}

/** Seconds that the rungs after the first take for so many trials: their training, an evaluation each, and opening model and data again. */
export function secondsAfterFirst(trials: number, rungs: Rungs, cost: { full: number; other: number }): number {
  const { shares } = rungs;
  return shares
    .slice(1)
    .reduce((sum, share, at) => sum + survivors(trials, at + 1, rungs) * ((share - shares[at]) * cost.full + cost.other), 0);
}

/** Numbers of the trials that go on, best first: those with the best values, the earlier one of equals. */
export function best(values: ReadonlyMap<number, number>, count: number, greaterIsBetter: boolean): number[] {
  const sign = greaterIsBetter ? -1 : 1;
  return [...values]
    .sort(([a, x], [b, y]) => sign * (x - y) || a - b)
    .slice(0, count)
    .map(([number]) => number);
}
