/** The step's arithmetic on numbers that can be checked by eye: sums over micro-batches, the norm, clipping, and when it refuses. */
import { describe, expect, test } from "vitest";
import { testRuntime } from "../../test/engine/compute-graph.js";
import type { Optimizer, UpdateOptions } from "../engine/optimizers/optimizer.js";
import { createGradientNorm, createParameterStore, type MicroBatch, type TrainingExecutor } from "../engine/index.js";
import { createStep } from "./step.js";

/** Two weights; a micro-batch of gradient g adds g to the store and has the loss that it says. */
async function stepOf(microBatches: { loss: number; gradient: [number, number] }[], maxGradientNorm = 0) {
  const declaration = { shape: [2], initialise: { kind: "zeros" }, decay: false } as const;
  const store = createParameterStore(testRuntime(), new Map([["w", declaration]]), () => true);
  const updates: UpdateOptions[] = [];
  const gradients: number[][] = [];
  const made = microBatches.map((_, index): MicroBatch => ({ bindings: {}, inputs: {}, samples: [index], step: 41 }));
  const executor: TrainingExecutor = {
    lanes: 1,
    run: async (batch) => {
      const { loss, gradient } = microBatches[batch.samples[0]];
      const data = store.parameters.get("w")!.gradient!.data as Float32Array;
      gradient.forEach((value, at) => (data[at] += value));
      return { loss: Float32Array.of(loss) };
    },
    runAll: (batches, outputs) => Promise.all(batches.map((batch) => executor.run(batch, outputs))),
    bankBytes: 0,
    arenaBytes: () => 0,
    reserve: () => undefined,
    firstNonFinite: async (batch) => (Number.isFinite(microBatches[batch.samples[0]].loss) ? undefined : `layer ${batch.samples[0]}`),
    finishProfiles: () => [],
    release: () => undefined,
  };
  const optimizer: Optimizer = {
    name: "sgd",
    step: 0,
    update: async (options) => {
      updates.push(options);
      gradients.push([...(store.parameters.get("w")!.gradient!.data as Float32Array)]);
    },
    state: () => [],
    release: () => undefined,
  };
  const gradientNorm = await createGradientNorm(testRuntime(), store);
  const step = createStep<null>({
    store,
    executor,
    optimizer,
    gradientNorm,
    maxGradientNorm,
    microBatches: () => made,
    count: () => ({ samples: 4, tokens: 99 }),
  });
  return { step, updates, gradients };
}

const two = [
  { loss: 1.5, gradient: [1, 2] as [number, number] },
  { loss: 0.25, gradient: [2, 2] as [number, number] },
];

test("losses and gradients of micro-batches add up, and one update is made of them", async () => {
  const { step, updates, gradients } = await stepOf(two);
  expect(await step.run(null, 0.01)).toEqual({ loss: 1.75, gradientNorm: 5, samples: 4, tokens: 99 });
  expect(updates).toEqual([{ rate: 0.01, gradientScale: 1 }]);
  expect(gradients).toEqual([[3, 4]]);
});

test("every step begins without the last one's gradients", async () => {
  const { step, gradients } = await stepOf(two);
  await step.run(null, 0.01);
  await step.run(null, 0.01);
  expect(gradients).toEqual([
    [3, 4],
    [3, 4],
  ]);
});

test("a gradient longer than the most is scaled to it, a shorter one left alone", async () => {
  const scaleAt = async (most: number) => {
    const { step, updates } = await stepOf(two, most);
    await step.run(null, 1);
    return updates[0].gradientScale!;
  };
  expect(await scaleAt(1)).toBeCloseTo(0.2, 6);
  expect(await scaleAt(5.1)).toBe(1);
  expect(await scaleAt(0)).toBe(1);
});

describe("a step that is not finite", () => {
  test.each([
    [
      "in the forward pass",
      [two[0], { loss: NaN, gradient: [0, 0] as [number, number] }],
      /step 42 overflowed in the forward pass, first in layer 1/,
    ],
    ["in the backward pass", [{ loss: 1, gradient: [Infinity, 0] as [number, number] }], /step 42 overflowed in the backward pass/],
    ["by a gradient that is no number", [{ loss: 1, gradient: [NaN, 0] as [number, number] }], /a loss of 1 and a gradient of norm NaN/],
  ])("%s is told with the place, and nothing is updated", async (_, microBatches, message) => {
    const { step, updates } = await stepOf(microBatches, 1);
    await expect(step.run(null, 0.01)).rejects.toMatchObject({
      code: "LOSS_NOT_FINITE",
      message: expect.stringMatching(message) as string,
    });
    expect(updates).toEqual([]);
  });
});
