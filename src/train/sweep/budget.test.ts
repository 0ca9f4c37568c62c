import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Budget } from "./budget.js";
import { createRungs } from "./halving.js";
import type { Measured } from "./sweep-state.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const rungs = createRungs({ eta: 3, rungs: 3 });
/** A full training takes 90 s, opening and evaluation 5 s each. */
const measured: Measured[] = [
  { rung: 0, step: 50, total_steps: 450, value: 1, metrics: {}, seconds: { training: 10, evaluation: 5, other: 5 } },
];

test("what earlier calls used counts, and a timer runs so many seconds before the end", () => {
  const budget = new Budget(1, 20);
  vi.advanceTimersByTime(10_000);
  expect([budget.used(), budget.left()]).toEqual([30, 30]);
  const [kept, cleared] = [new AbortController(), new AbortController()];
  budget.abortWhenLeft(5, kept);
  budget.abortWhenLeft(5, cleared)();
  vi.advanceTimersByTime(24_900);
  expect(kept.signal.aborted).toBe(false);
  vi.advanceTimersByTime(200);
  expect([kept.signal.aborted, cleared.signal.aborted]).toEqual([true, false]);
});

test("trials begin while the best of them can be trained in full, and in any case in the first half", () => {
  const trialsThatFit = (minutes: number): number => {
    const budget = new Budget(minutes, 0);
    for (let trials = 1; ; trials++) {
      if (trials > 1 && !budget.hasRoomForTrials(trials, rungs, measured)) return trials - 1;
      vi.advanceTimersByTime(20_000); // the first part of each
    }
  };
  expect(trialsThatFit(1)).toBe(2); // in the first half
  expect(trialsThatFit(3)).toBe(5); // four leave time to train the best of them in full; a fifth begins in the first half
  expect(trialsThatFit(10)).toBeGreaterThanOrEqual(15);
});

test("without a budget there is room for anything; before a first trial for one", () => {
  const endless = new Budget(undefined, 1e6);
  expect([endless.left(), endless.hasRoomForTrials(1000, rungs, measured), endless.hasRoomForPart(measured)]).toEqual([
    Infinity,
    true,
    true,
  ]);
  endless.abortWhenLeft(10, new AbortController());
  expect(vi.getTimerCount()).toBe(0);
  expect(new Budget(1, 0).hasRoomForTrials(1, rungs, [])).toBe(true);
  expect(new Budget(1, 0).evaluationSeconds([])).toBeCloseTo(15);
  expect(new Budget(1, 0).evaluationSeconds(measured)).toBeCloseTo(5.5);
});
