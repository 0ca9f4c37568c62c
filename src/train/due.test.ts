import { expect, test } from "vitest";
import { createDue, totalSteps } from "./due.js";

const steps = (last: number): number[] => Array.from({ length: last + 1 }, (_, step) => step);

test("every n steps, and at the end", () => {
  expect(steps(12).filter(createDue({ strategy: "steps", every: 5, stepsPerEpoch: 6, totalSteps: 12 }))).toEqual([5, 10, 12]);
});

test("every epoch, and at the end of a run that stops inside one", () => {
  expect(steps(15).filter(createDue({ strategy: "epoch", every: 5, stepsPerEpoch: 6, totalSteps: 15 }))).toEqual([6, 12, 15]);
});

test("below 1 the interval is a share of the run, rounded up", () => {
  expect(steps(10).filter(createDue({ strategy: "steps", every: 0.25, stepsPerEpoch: 5, totalSteps: 10 }))).toEqual([3, 6, 9, 10]);
});

test("never", () => {
  expect(steps(12).some(createDue({ strategy: "no", every: 5, stepsPerEpoch: 6, totalSteps: 12 }))).toBe(false);
});

test("max_steps wins over epochs, whose last part counts as transformers counts it", () => {
  expect(totalSteps({ max_steps: 100, num_train_epochs: 3 }, 7)).toBe(100);
  expect(totalSteps({ max_steps: -1, num_train_epochs: 3 }, 7)).toBe(21);
  expect(totalSteps({ max_steps: -1, num_train_epochs: 0.5 }, 7)).toBe(4);
});
