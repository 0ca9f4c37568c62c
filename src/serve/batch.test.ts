import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextBatch, type Waiting } from "./batch.js";

const waiting = (...requests: number[][]): Waiting[] => requests.map((lengths, id) => ({ id, lengths, next: 0 }));
const requests = fc.array(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 8 }), { maxLength: 12 });

/** Runs batch after batch; the ids in the order in which their last window ran. */
function runAll(lists: readonly number[][], budget: number): { batches: number[][]; finished: number[] } {
  let open = waiting(...lists).filter(({ lengths }) => lengths.length > 0);
  const [batches, finished]: [number[][], number[]] = [[], []];
  while (open.length > 0) {
    const batch = nextBatch(open, budget);
    batches.push(batch.flatMap(({ id, from, to }) => lists[id].slice(from, to)));
    open = open.map((one) => ({ ...one, next: batch.find(({ id }) => id === one.id)?.to ?? one.next }));
    finished.push(...open.filter(({ lengths, next }) => next === lengths.length).map(({ id }) => id));
    open = open.filter(({ lengths, next }) => next < lengths.length);
  }
  return { batches, finished };
}

describe("the next batch", () => {
  test("takes a window of each request in turn", () => {
    expect(nextBatch(waiting([100, 100, 100], [100], [100, 100]), 500)).toEqual([
      { id: 0, from: 0, to: 2 },
      { id: 1, from: 0, to: 1 },
      { id: 2, from: 0, to: 2 },
    ]);
  });

  test("lets short ones through beside a long one, which has a window in every batch", () => {
    const { batches, finished } = runAll([Array.from({ length: 50 }, () => 384), ...Array.from({ length: 20 }, () => [30])], 512);
    expect(finished.at(-1)).toBe(0);
    expect(batches).toHaveLength(50);
  });

  test("runs a window that is larger than the budget by itself", () => {
    expect(nextBatch(waiting([900], [10]), 512)).toEqual([{ id: 0, from: 0, to: 1 }]);
    expect(nextBatch([], 512)).toEqual([]);
  });

  test("runs every window once, in order, within the budget, and starves none", () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 2000 }), (lists, budget) => {
        const { batches } = runAll(lists, budget);
        expect(batches.flat().length).toBe(lists.flat().length);
        for (const lengths of batches) if (lengths.length > 1) expect(lengths.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(budget);
        const first = lists.findIndex((lengths) => lengths.length > 0);
        if (first >= 0) expect(nextBatch(waiting(...lists), budget)[0]).toMatchObject({ id: first, from: 0 });
      }),
    );
  });
});
