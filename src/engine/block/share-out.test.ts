import fc from "fast-check";
import { expect, test } from "vitest";
import { shareOut } from "./share-out.js";

test("gives every index to one lane, and no lane more than the least loaded one and its last", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (costs, lanes) => {
      const shares = shareOut(costs, lanes);
      expect(shares).toHaveLength(lanes);
      expect(shares.flat().sort((a, b) => a - b)).toEqual(costs.map((_, at) => at));
      const loads = shares.map((share) => share.reduce((sum, at) => sum + costs[at], 0));
      shares.forEach((share, lane) => {
        if (share.length > 0) expect(loads[lane] - costs[share.at(-1)!]).toBeLessThanOrEqual(Math.min(...loads));
      });
    }),
  );
});

test("depends on nothing but the costs: like ones go in their order", () => {
  expect(shareOut([5, 5, 5, 5], 2)).toEqual([
    [0, 2],
    [1, 3],
  ]);
  expect(shareOut([1, 2, 7, 4], 2)).toEqual([[2], [3, 1, 0]]);
  expect(shareOut([], 2)).toEqual([[], []]);
});
