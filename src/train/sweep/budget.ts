/** The time a sweep may take: what is used and left of it, and what the trials so far say of the cost of more. Times are seconds. */
import { type Rungs, secondsAfterFirst } from "./halving.js";
import type { Measured } from "./sweep-state.js";

/** Share of the time left that is kept for an evaluation as long as none was measured. */
const unknownEvaluation = 0.25;
const longestTimer = 2 ** 31 - 1;

export class Budget {
  private readonly started = performance.now();

  /**
   * @param minutes all there is; undefined: as long as it takes
   * @param usedBefore by earlier calls
   */
  constructor(
    private readonly minutes: number | undefined,
    private readonly usedBefore: number,
  ) {}

  used(): number {
    return this.usedBefore + (performance.now() - this.started) / 1000;
  }

  left(): number {
    return this.minutes === undefined ? Infinity : 60 * this.minutes - this.used();
  }

  /**
   * Aborts `controller` when nothing but `reserve` seconds are left.
   * @returns what takes the timer back
   */
  abortWhenLeft(reserve: number, controller: AbortController): () => void {
    const seconds = this.left() - reserve;
    if (seconds === Infinity) return () => undefined;
    const timer = setTimeout(() => controller.abort(), Math.min(longestTimer, Math.max(0, 1000 * seconds)));
    return () => clearTimeout(timer);
  }

  /** What an evaluation takes, with a tenth to spare. */
  evaluationSeconds(measured: readonly Measured[]): number {
    if (measured.length > 0) return 1.1 * Math.max(...measured.map(({ seconds }) => seconds.evaluation));
    return unknownEvaluation * Math.min(this.left(), Number.MAX_SAFE_INTEGER);
  }

  /**
   * Whether one more trial may begin: while there is time to train the best of them in full, and in any case in the first half of the budget, since a
   * sweep is there to compare; the budget then cuts the last trainings short.
   * @param trials with that one
   */
  hasRoomForTrials(trials: number, rungs: Rungs, measured: readonly Measured[]): boolean {
    const cost = costOf(measured);
    if (cost === undefined) return true;
    const first = rungs.shares[0] * cost.full + cost.other;
    return first + secondsAfterFirst(trials, rungs, cost) <= this.left() || this.used() + first <= this.left();
  }

  /** Whether opening and evaluating a trial, and some training between, fit into what is left. */
  hasRoomForPart(measured: readonly Measured[]): boolean {
    const cost = costOf(measured);
    return this.left() > (cost?.other ?? 0);
  }
}

/** Means of what trials took that began anew: a full training, and all that comes with a part of one. */
function costOf(measured: readonly Measured[]): { full: number; other: number } | undefined {
  const first = measured.filter(({ rung }) => rung === 0);
  if (first.length === 0) return undefined;
  const mean = (of: (one: Measured) => number): number => first.reduce((sum, one) => sum + of(one), 0) / first.length;
  return {
    full: mean(({ seconds, step, total_steps: total }) => (seconds.training * total) / step),
    other: mean(({ seconds }) => seconds.evaluation + seconds.other),
  };
}
