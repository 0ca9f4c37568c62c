/** Optimizers against torch.optim and transformers (reference/make_optimizer_goldens.py), and what must hold of any of them. */
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { openSafetensors } from "../../checkpoint/safetensors.js";
import { createParameterStore, type ParameterStore } from "../block/parameter-store.js";
import { adamW } from "./adamw.js";
import { createFlatOptimizer } from "./flat-optimizer.js";
import { clipFactor, createGradientNorm } from "./gradient-norm.js";
import { createOptimizer, type Optimizer, type OptimizerSettings } from "./optimizer.js";

const goldens = openSafetensors(join(import.meta.dirname, "../../../test/optimizer-goldens.safetensors"));
afterAll(() => goldens.close());
const parameters = ["matrix", "vector", "cube", "single"];
const variants = Object.keys(goldens.metadata).filter((name) => name !== "torch");
const steps = [1, 2, 3, 4, 5];

interface TorchSettings {
  optimizer: OptimizerSettings["name"];
  lr: number | null;
  betas: [number, number];
  eps: number & [number, number];
  weight_decay: number;
  clip_grad_norm?: number;
  momentum: number;
  clip_threshold: number;
  decay_rate: number;
  beta1: number | null;
  scale_parameter: boolean;
  relative_step: boolean;
  warmup_init: boolean;
}

function settingsOf(torch: TorchSettings): OptimizerSettings {
  const weightDecay = torch.weight_decay;
  switch (torch.optimizer) {
    case "adamw":
      return { name: "adamw", beta1: torch.betas[0], beta2: torch.betas[1], epsilon: torch.eps, weightDecay };
    case "sgd":
      return { name: "sgd", momentum: torch.momentum, weightDecay };
    case "adafactor":
      return {
        name: "adafactor",
        epsilonSquared: torch.eps[0],
        epsilonScale: torch.eps[1],
        clipThreshold: torch.clip_threshold,
        decayRate: torch.decay_rate,
        beta1: torch.beta1 ?? undefined,
        weightDecay,
        scaleParameter: torch.scale_parameter,
        relativeStep: torch.relative_step,
        warmupInit: torch.warmup_init,
      };
  }
}

function storeOf(shapes: Record<string, readonly number[]>, decay: (name: string) => boolean = () => true): ParameterStore {
  const declarations = Object.entries(shapes).map(
    ([name, shape]) => [name, { shape, initialise: { kind: "zeros" }, decay: decay(name) }] as const,
  );
  return createParameterStore(testRuntime(), new Map(declarations), () => true);
}

const weightsOf = (store: ParameterStore, name: string) => store.parameters.get(name)!.tensor.data as Float32Array;
const gradientOf = (store: ParameterStore, name: string) => store.parameters.get(name)!.gradient!.data as Float32Array;

function goldenStore(): ParameterStore {
  const store = storeOf(Object.fromEntries(parameters.map((name) => [name, goldens.info(`${name}.p0`).shape])));
  for (const name of parameters) weightsOf(store, name).set(goldens.readFloat32(`${name}.p0`));
  return store;
}

describe.each(variants)("%s", (variant) => {
  const torch = JSON.parse(goldens.metadata[variant]) as TorchSettings;

  /** Steps `from` + 1 … `to` with the golden gradients, which are stored `times` too large. */
  async function makeSteps(store: ParameterStore, optimizer: Optimizer, from: number, to: number, times = 1): Promise<number[]> {
    const norm = await createGradientNorm(testRuntime(), store);
    const norms: number[] = [];
    for (const step of steps.slice(from, to)) {
      for (const name of parameters) gradientOf(store, name).set(goldens.readFloat32(`${name}.g${step}`).map((value) => value * times));
      norms.push((await norm.compute()) / times);
      const clipped = clipFactor(norms.at(-1)!, torch.clip_grad_norm ?? 0);
      await optimizer.update({ rate: torch.lr ?? 0, gradientScale: clipped / times });
    }
    norm.release();
    return norms;
  }

  test.each([1, 8])("five steps as in Python, with gradients stored %d times too large", async (times) => {
    const store = goldenStore();
    const optimizer = await createOptimizer(testRuntime(), store, settingsOf(torch));
    for (const step of steps) {
      const [norm] = await makeSteps(store, optimizer, step - 1, step, times);
      if (torch.clip_grad_norm !== undefined) {
        const expected = goldens.readFloat32(`${variant}.grad_norm`)[step - 1];
        expect(Math.abs(norm - expected) / expected).toBeLessThan(1e-6);
      }
      for (const name of parameters) {
        const expected = goldens.readFloat32(`${variant}.${name}.p${step}`);
        weightsOf(store, name).forEach((value, at) =>
          expect(Math.abs(value - expected[at]) / Math.max(1, Math.abs(expected[at]))).toBeLessThan(1e-6),
        );
      }
    }
    expect(optimizer.step).toBe(5);
    optimizer.release();
  });

  test("goes on bit for bit from its saved state", async () => {
    const store = goldenStore();
    const optimizer = await createOptimizer(testRuntime(), store, settingsOf(torch));
    await makeSteps(store, optimizer, 0, 3);
    const saved = optimizer.state().map(({ name, tensor }) => ({ name, shape: tensor.shape, data: tensor.data.slice() }));

    const resumed = goldenStore();
    for (const name of parameters) weightsOf(resumed, name).set(weightsOf(store, name));
    const successor = await createOptimizer(testRuntime(), resumed, settingsOf(torch));
    successor.step = optimizer.step;
    successor.state().forEach(({ name, tensor }, at) => {
      expect([name, tensor.shape]).toEqual([saved[at].name, saved[at].shape]);
      (tensor.data as Float32Array).set(saved[at].data as Float32Array);
    });

    await makeSteps(store, optimizer, 3, 5);
    await makeSteps(resumed, successor, 3, 5);
    for (const name of parameters) expect(weightsOf(resumed, name)).toEqual(weightsOf(store, name));
    optimizer.release();
    successor.release();
  });
});

describe("of any optimizer", () => {
  let store: ParameterStore;
  beforeEach(() => {
    store = storeOf({ weight: [5, 7], bias: [7], frozen: [3] }, (name) => name === "weight");
    for (const name of ["weight", "bias"]) weightsOf(store, name).forEach((_, at, data) => (data[at] = Math.sin(at + 1)));
  });

  test.each<OptimizerSettings>([
    { name: "adamw", weightDecay: 0.1 },
    { name: "sgd", weightDecay: 0.1 },
    { name: "adafactor", weightDecay: 0.1 },
  ])("$name: without a gradient only what decays moves, towards 0", async (settings) => {
    const optimizer = await createOptimizer(testRuntime(), store, settings);
    const before = { weight: weightsOf(store, "weight").slice(), bias: weightsOf(store, "bias").slice() };
    await optimizer.update({ rate: 0.5 });
    expect(weightsOf(store, "bias")).toEqual(before.bias);
    weightsOf(store, "weight").forEach((value, at) => expect(value).toBeCloseTo(before.weight[at] * 0.95, 6));
    optimizer.release();
  });

  test.each<OptimizerSettings>([{ name: "adamw" }, { name: "sgd", momentum: 0.9 }, { name: "adafactor" }])(
    "$name: finds the least of a quadratic",
    async (settings) => {
      const optimizer = await createOptimizer(testRuntime(), store, settings);
      const weights = weightsOf(store, "weight");
      for (let step = 0; step < 300; step++) {
        gradientOf(store, "weight").set(weights.map((value, at) => value - at / 10));
        await optimizer.update({ rate: settings.name === "sgd" ? 0.05 : 0.1 * 0.99 ** step });
      }
      weights.forEach((value, at) => expect(Math.abs(value - at / 10)).toBeLessThan(0.05));
      optimizer.release();
    },
  );
});

test("the size of the pieces changes no bit", async () => {
  const results = [];
  for (const piece of [16, 48, 1 << 17]) {
    const store = storeOf({ weight: [13, 11], bias: [13] }, (name) => name === "weight");
    const optimizer = await createFlatOptimizer(testRuntime(), store, adamW({ weightDecay: 0.1 }), piece);
    for (let step = 1; step <= 3; step++) {
      for (const name of ["weight", "bias"]) gradientOf(store, name).forEach((_, at, data) => (data[at] = Math.sin(at * step)));
      await optimizer.update({ rate: 0.1 });
    }
    results.push([...weightsOf(store, "weight"), ...weightsOf(store, "bias")]);
    optimizer.release();
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

describe("the gradient's norm", () => {
  test("is that of all gradients together, added in float64", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 3 }),
        fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
        async (lengths, scale) => {
          fc.pre(lengths.some((length) => length > 0));
          const store = storeOf(Object.fromEntries(lengths.map((length, index) => [`p${index}`, [length]])));
          let expected = 0;
          lengths.forEach((_, index) =>
            gradientOf(store, `p${index}`).forEach((_, at, data) => {
              data[at] = Math.sin(at + 1) * scale;
              expected += data[at] ** 2;
            }),
          );
          const norm = await createGradientNorm(testRuntime(), store);
          expect(Math.abs((await norm.compute()) / Math.sqrt(expected) - 1)).toBeLessThan(1e-6);
          norm.release();
        },
      ),
      { numRuns: 20 },
    );
  });

  test("shows what is not finite", async () => {
    const store = storeOf({ weight: [40_000] });
    const norm = await createGradientNorm(testRuntime(), store);
    gradientOf(store, "weight")[39_999] = NaN;
    expect(await norm.compute()).toBeNaN();
    gradientOf(store, "weight")[39_999] = -Infinity;
    expect(await norm.compute()).toBe(Infinity);
    norm.release();
  });

  test("is cut to the greatest allowed, and not at all where that is 0", () => {
    expect(clipFactor(4, 1)).toBeCloseTo(0.25, 6);
    expect(clipFactor(0.5, 1)).toBe(1);
    expect(clipFactor(4, 0)).toBe(1);
  });
});
