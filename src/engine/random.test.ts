import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { permutation, randomGenerator } from "./random.js";

describe("randomGenerator", () => {
  it("gives the same numbers for the same seed, for ever", () => {
    const random = randomGenerator(42);
    expect([random.uint32(), random.uint32(), random.uint32()]).toEqual([1874330980, 2143255774, 4055375598]);
  });

  it("gives other numbers for another seed or stream, high bits of the seed included", () => {
    const first = [randomGenerator(1), randomGenerator(2), randomGenerator(1, 1), randomGenerator(1 + 2 ** 40)].map((random) =>
      random.uint32(),
    );
    expect(new Set(first).size).toBe(4);
  });

  it("is uniform and normal as it says", () => {
    const random = randomGenerator(7);
    const n = 20_000;
    const uniform = Array.from({ length: n }, () => random.uniform());
    const normal = Array.from({ length: n }, () => random.normal());
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / n;
    expect(uniform.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(mean(uniform)).toBeCloseTo(0.5, 1);
    expect(Math.abs(mean(normal))).toBeLessThan(0.03);
    expect(Math.abs(mean(normal.map((value) => value * value)) - 1)).toBeLessThan(0.05);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < n; i++) counts[random.below(6)]++;
    for (const count of counts) expect(Math.abs(count - n / 6)).toBeLessThan(300);
  });
});

describe("permutation", () => {
  it("holds every number once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.maxSafeInteger(), (n, seed) => {
        expect([...permutation(n, seed)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
  });

  it("depends on the seed only", () => {
    expect([...permutation(10, 42)]).toEqual([3, 5, 1, 7, 9, 2, 8, 6, 4, 0]);
    expect([...permutation(10, 42)]).toEqual([...permutation(10, 42)]);
    expect([...permutation(10, 43)]).not.toEqual([...permutation(10, 42)]);
  });
});
