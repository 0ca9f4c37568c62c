import fc from "fast-check";
import { expect, test } from "vitest";
import { shuffledBatches } from "./batches.js";

test("every epoch has every sample once, cut into steps of which the last takes what is left", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }), fc.nat(), (count, perStep, seed) => {
      const { stepsPerEpoch, batch } = shuffledBatches(count, perStep, seed);
      expect(stepsPerEpoch).toBe(Math.ceil(count / perStep));
      for (const epoch of [0, 1, 7]) {
        const steps = Array.from({ length: stepsPerEpoch }, (_, index) => batch(epoch * stepsPerEpoch + index));
        expect(steps.flatMap(({ samples }) => [...samples]).sort((a, b) => a - b)).toEqual(
          Array.from({ length: count }, (_, index) => index),
        );
        expect(steps.map(({ samples }) => samples.length)).toEqual(
          steps.map((_, index) => (index < stepsPerEpoch - 1 ? perStep : count - perStep * (stepsPerEpoch - 1))),
        );
      }
    }),
  );
});

test("a step's samples depend on seed and step alone, whatever was asked for before", () => {
  const inOrder = shuffledBatches(100, 8, 5);
  const steps = Array.from({ length: 40 }, (_, step) => [...inOrder.batch(step).samples]);
  for (const step of [39, 3, 27, 0, 14]) {
    expect([...shuffledBatches(100, 8, 5).batch(step).samples]).toEqual(steps[step]);
    expect([...inOrder.batch(step).samples]).toEqual(steps[step]);
    expect(inOrder.batch(step).step).toBe(step);
  }
});

test("epochs and seeds have orders of their own", () => {
  const order = (seed: number, epoch: number) => {
    const { batch, stepsPerEpoch } = shuffledBatches(100, 100, seed);
    return [...batch(epoch * stepsPerEpoch).samples].join();
  };
  expect(new Set([order(1, 0), order(1, 1), order(1, 2), order(2, 0)]).size).toBe(4);
});
