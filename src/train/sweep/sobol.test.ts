import { describe, expect, test } from "vitest";
import { mostDimensions, sobolPoint } from "./sobol.js";

describe("Sobol's sequence", () => {
  // torch.quasirandom.SobolEngine(16).draw(64), which has the direction numbers of Joe and Kuo
  test.each([
    [1, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]],
    [3, [0.25, 0.75, 0.75, 0.75, 0.25, 0.25, 0.75, 0.25, 0.25, 0.25, 0.25, 0.25, 0.75, 0.75, 0.25, 0.75]],
    [7, [0.125, 0.625, 0.375, 0.125, 0.125, 0.375, 0.625, 0.625, 0.625, 0.875, 0.625, 0.125, 0.625, 0.375, 0.125, 0.125]],
    [12, [0.3125, 0.1875, 0.3125, 0.5625, 0.9375, 0.4375, 0.0625, 0.0625, 0.0625, 0.9375, 0.3125, 0.4375, 0.5625, 0.3125, 0.6875, 0.0625]],
    [
      33,
      [
        0.546875, 0.765625, 0.203125, 0.046875, 0.640625, 0.421875, 0.296875, 0.171875, 0.484375, 0.546875, 0.890625, 0.453125, 0.953125,
        0.484375, 0.484375, 0.609375,
      ],
    ],
    [
      63,
      [
        0.015625, 0.796875, 0.359375, 0.453125, 0.859375, 0.140625, 0.578125, 0.140625, 0.828125, 0.578125, 0.421875, 0.671875, 0.546875,
        0.765625, 0.328125, 0.765625,
      ],
    ],
  ])("point %i is torch's", (index, point) => expect(sobolPoint(index, mostDimensions)).toEqual(point));

  test("64 points have one in each 64th of every dimension, shifted or not", () => {
    for (const seed of [undefined, 3]) {
      const points = Array.from({ length: 64 }, (_, index) => sobolPoint(index, mostDimensions, seed));
      for (let dimension = 0; dimension < mostDimensions; dimension++) {
        expect(new Set(points.map((point) => Math.floor(64 * point[dimension]))).size, String(dimension)).toBe(64);
      }
    }
  });
});
