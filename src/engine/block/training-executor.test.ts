/** Gradients of networks of blocks, against the joined graph differentiated whole and against finite differences. */
import { describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { encoderDecoder, encoderDecoderBatch, gradientsOf, joinedGradients, randomStore } from "../../../test/engine/networks.js";
import { relativeError } from "../../train/parity.js";
import type { ResidualPolicy } from "../autodiff/residuals.js";
import { symbol } from "../graph/dimension.js";
import { add, attention, linear, mean, mul, reshape, square, sum, tanh } from "../ops/index.js";
import { randomGenerator } from "../random.js";
import type { CompileOptions, Runtime } from "../runtime/runtime.js";
import { type Block, type Call, type Network, networkParameters } from "./block.js";
import { createInferenceExecutor } from "./inference-executor.js";
import { createParameterStore, type ParameterStore } from "./parameter-store.js";
import type { MicroBatch } from "./training-commands.js";
import { createTrainingExecutor, type TrainingExecutor } from "./training-executor.js";

const policies: readonly ResidualPolicy[] = ["keep", "recompute", "checkpoint"];
const bindings = { batch: 3, source: 5, target: 4 };
const batch = encoderDecoderBatch(bindings);

const open = (network: Network, store: ParameterStore, policy: ResidualPolicy = "recompute", runtime: Runtime = testRuntime()) =>
  createTrainingExecutor(runtime, network, store, { policy, loss: "loss", seed: 7 });

async function gradientAt(executor: TrainingExecutor, store: ParameterStore, given: MicroBatch = batch) {
  store.clearGradients();
  const { loss } = await executor.run(given, ["loss"]);
  return { loss: loss[0], gradients: gradientsOf(store) };
}

function expectSame(actual: ReadonlyMap<string, Float32Array>, expected: ReadonlyMap<string, Float32Array>, tolerance = 2e-6) {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, gradient] of actual) expect(relativeError(gradient, expected.get(name)!), name).toBeLessThan(tolerance);
}

/**
 * The slope of the loss along each parameter's gradient, by central differences (of fourth order), against what it should be: the
 * gradient's norm. A gradient that is wrong anywhere has a slope that is too small.
 */
async function expectSlopes(executor: TrainingExecutor, store: ParameterStore, given: MicroBatch = batch) {
  const { gradients } = await gradientAt(executor, store, given);
  for (const [name, gradient] of gradients) {
    const weights = store.parameters.get(name)!.tensor.data as Float32Array;
    const before = Float32Array.from(weights);
    const norm = Math.hypot(...gradient);
    expect(norm, name).toBeGreaterThan(1e-3);
    const lossAt = async (step: number) => {
      weights.forEach((_, at) => (weights[at] = before[at] + (step * gradient[at]) / norm));
      return (await executor.run(given, ["loss"])).loss[0];
    };
    const slope = async (step: number) => ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    const found = (4 * (await slope(0.02)) - (await slope(0.04))) / 3;
    weights.set(before);
    expect(Math.abs(found / norm - 1), `${name}: ${found} for ${norm}`).toBeLessThan(5e-3);
  }
}

describe("a network with cross-attention, tied weights and several outputs", () => {
  test.each(policies)("has the gradients of the joined graph, residuals: %s", async (policy) => {
    const network = encoderDecoder(0);
    const store = randomStore(network);
    const executor = await open(network, store, policy);
    expectSame((await gradientAt(executor, store)).gradients, await joinedGradients(network, store, batch));
  });

  test("gives the same loss as inference, and outputs in the forward pass's shapes", async () => {
    const network = encoderDecoder(0);
    const store = randomStore(network);
    const inference = await createInferenceExecutor(testRuntime(), network, store, ["loss", "logits"]);
    const expected = await inference.run(bindings, batch.inputs);
    const outputs = await (await open(network, store)).run(batch, ["loss", "logits"]);
    expect(outputs.logits).toHaveLength(3 * 4 * 11);
    expect(relativeError(outputs.logits, expected.logits)).toBeLessThan(1e-6);
    expect(relativeError(outputs.loss, expected.loss)).toBeLessThan(1e-6);
  });

  test("with dropout has the slopes of finite differences, and the same gradients under every policy", async () => {
    const network = encoderDecoder(0.25);
    const store = randomStore(network);
    const results = [];
    for (const policy of policies) results.push(await gradientAt(await open(network, store, policy), store));
    for (const { loss, gradients } of results) {
      expect(loss).toBeCloseTo(results[0].loss, 4);
      expectSame(gradients, results[0].gradients);
    }
    expect(relativeError(results[0].gradients.get("table")!, (await joinedGradients(network, store, batch)).get("table")!)).toBeGreaterThan(
      0.01,
    );
    await expectSlopes(await open(network, store), store);
  });

  test("adds to the gradients that are there", async () => {
    const network = encoderDecoder(0.25);
    const store = randomStore(network);
    const executor = await open(network, store);
    const other = encoderDecoderBatch({ batch: 2, source: 7, target: 2 }, 2);
    const [one, two] = [(await gradientAt(executor, store)).gradients, (await gradientAt(executor, store, other)).gradients];
    store.clearGradients();
    await executor.run(batch, []);
    await executor.run(other, []);
    const sums = new Map([...one].map(([name, values]) => [name, values.map((value, at) => value + two.get(name)![at])]));
    expectSame(gradientsOf(store), sums);
  });

  test.each([1, 2, 3, 8])("several micro-batches, %i at once, give what they give in turn, and add it to what is there", async (lanes) => {
    const network = encoderDecoder(0.25);
    const store = randomStore(network);
    const shapes = [
      { batch: 2, source: 7, target: 2 },
      { batch: 1, source: 3, target: 3 },
      { batch: 4, source: 5, target: 6 },
      { batch: 3, source: 2, target: 4 },
      { batch: 2, source: 9, target: 5 },
    ];
    const batches = shapes.map((shape, step) => encoderDecoderBatch(shape, step));
    const inTurn = await open(network, store);
    store.clearGradients();
    const losses: number[] = [];
    for (const one of [batch, ...batches]) losses.push((await inTurn.run(one, ["loss"])).loss[0]);
    const expected = new Map([...gradientsOf(store)].map(([name, values]) => [name, Float32Array.from(values)]));

    const executor = await createTrainingExecutor(testRuntime(), network, store, { policy: "recompute", loss: "loss", seed: 7, lanes });
    const found = [];
    for (let round = 0; round < 3; round++) {
      store.clearGradients();
      const first = await executor.runAll([batch], ["loss"]);
      const rest = await executor.runAll(batches, ["loss"]);
      expect([...first, ...rest].map(({ loss }) => loss[0])).toEqual(losses.map((loss) => expect.closeTo(loss, 5) as number));
      expectSame(gradientsOf(store), expected);
      found.push(new Map([...gradientsOf(store)].map(([name, values]) => [name, Float32Array.from(values)])));
    }
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
    executor.release();
  });

  test("computed at once, nothing of a gradient that is not finite is left for the next step", async () => {
    const network = encoderDecoder(0);
    const store = randomStore(network);
    const executor = await createTrainingExecutor(testRuntime(), network, store, { policy: "keep", loss: "loss", seed: 7, lanes: 2 });
    const weights = store.parameters.get("decoder.1.value")!.tensor.data as Float32Array;
    const before = weights[3];
    weights[3] = Infinity;
    await executor.runAll([batch, batch, batch], []);
    weights[3] = before;
    store.clearGradients();
    await executor.runAll([batch, batch], []);
    expect([...gradientsOf(store).values()].every((values) => values.every(Number.isFinite))).toBe(true);
  });

  test("takes any shapes one after the other, and a larger one after a smaller", async () => {
    const network = encoderDecoder(0);
    const store = randomStore(network);
    const executor = await open(network, store);
    for (const shape of [
      { batch: 1, source: 1, target: 1 },
      { batch: 4, source: 9, target: 3 },
      { batch: 2, source: 2, target: 12 },
    ]) {
      const given = encoderDecoderBatch(shape, 3);
      if (shape.batch === 1) given.inputs.labels[0] = 2n; // else nothing would be left to learn
      expectSame((await gradientAt(executor, store, given)).gradients, await joinedGradients(network, store, given));
    }
  });

  test("is bit-identical when run again", async () => {
    const network = encoderDecoder(0.25);
    const store = randomStore(network);
    const first = await gradientAt(await open(network, store), store);
    const again = await gradientAt(await open(network, store), store);
    expect(again).toEqual(first);
  });

  test("needs the most memory to keep all, the least to keep nothing", async () => {
    const network = encoderDecoder(0.25);
    const store = randomStore(network);
    const large = { batch: 16, source: 64, target: 64 };
    const [keep, recompute, checkpoint] = await Promise.all(
      policies.map(async (policy) => (await open(network, store, policy)).arenaBytes(large)),
    );
    expect(keep).toBeGreaterThan(recompute);
    expect(recompute).toBeGreaterThan(checkpoint);
  });

  test("compiles calls of one kind once", async () => {
    const compiled: string[] = [];
    const counting: Runtime = {
      ...testRuntime(),
      compile: (graph, options?: CompileOptions) => {
        compiled.push(options?.name ?? "");
        return testRuntime().compile(graph, options);
      },
    };
    const network = encoderDecoder(0.25);
    await open(network, randomStore(network), "recompute", counting);
    expect(compiled.filter((name) => name.startsWith("decoder"))).toEqual(["decoder 0.25 forward", "decoder 0.25 backward"]);
    expect(compiled.filter((name) => name.startsWith("encoder"))).toHaveLength(2);
  });

  test("names the first call with a value that is not finite", async () => {
    const network = encoderDecoder(0.25);
    const store = randomStore(network);
    const executor = await open(network, store);
    expect(await executor.firstNonFinite(batch)).toBeUndefined();
    (store.parameters.get("decoder.1.value")!.tensor.data as Float32Array)[3] = Infinity;
    expect(await executor.firstNonFinite(batch)).toBe("decoder.1");
  });
});

describe("frozen parameters", () => {
  test("get no gradient, and the others the same as without freezing", async () => {
    const network = encoderDecoder(0);
    const all = randomStore(network);
    const expected = (await gradientAt(await open(network, all), all)).gradients;
    for (const frozen of [/^table$/, /^encoder/, /^(table|encoder)/, /^decoder\.1|bias$/, /^(?!decoder\.2\.output$)/]) {
      const store = randomStore(network, (name) => !frozen.test(name));
      const { gradients } = await gradientAt(await open(network, store), store);
      expectSame(gradients, new Map([...expected].filter(([name]) => !frozen.test(name))));
    }
  });

  test("need neither gradient memory nor a backward pass below the last trained layer", async () => {
    const compiled: string[] = [];
    const counting: Runtime = {
      ...testRuntime(),
      compile: (graph, options?: CompileOptions) => {
        compiled.push(options?.name ?? "");
        return testRuntime().compile(graph, options);
      },
    };
    const network = encoderDecoder(0.25);
    const store = randomStore(network, (name) => name.startsWith("decoder.2"));
    expect(store.gradients!.byteLength).toBe(3 * 64 * 4);
    const executor = await open(network, store, "recompute", counting);
    expect(compiled.filter((name) => name.endsWith("backward")).sort()).toEqual([
      "decoder 0.25 backward",
      "head backward",
      "total backward",
    ]);
    const whole = await open(network, randomStore(network));
    const large = { batch: 16, source: 64, target: 64 };
    expect(executor.arenaBytes(large)).toBeLessThan(whole.arenaBytes(large));
  });
});

describe("the wiring of calls", () => {
  const [rows, length] = [symbol("batch"), symbol("length")];
  const x = { dtype: "float32", shape: [rows, length, 4] } as const;
  const matrix = { shape: [4, 4], initialise: { kind: "normal", deviation: 0.5 }, decay: true } as const;
  const grow: Block = {
    kind: "grow",
    inputs: { x },
    parameters: { weight: matrix },
    build: ({ inputs, parameters }) => ({ y: tanh(linear(inputs.x, parameters.weight)) }),
  };
  const reduced: Block = { kind: "reduced", inputs: { x }, parameters: {}, build: ({ inputs }) => ({ loss: mean(square(inputs.x)) }) };
  const call = (block: Block, name: string, inputs: Record<string, string>, outputs: Record<string, string>): Call => ({
    block,
    name,
    inputs,
    outputs,
    parameters: Object.fromEntries(Object.keys(block.parameters).map((local) => [local, `${name}.${local}`])),
  });
  const networkOf = (...calls: Call[]): Network => ({ inputs: { given: x }, calls });
  const given: MicroBatch = {
    bindings: { batch: 2, length: 3 },
    inputs: { given: Float32Array.from({ length: 24 }, (_, at) => Math.sin(at)) },
    samples: [0, 1],
    step: 0,
  };
  async function expectJoined(network: Network, policy: ResidualPolicy) {
    const store = randomStore(network);
    const executor = await open(network, store, policy);
    expectSame((await gradientAt(executor, store, given)).gradients, await joinedGradients(network, store, given));
  }

  test("one tensor as several inputs that need a gradient is our mistake, where they need none it is not", async () => {
    const pair: Block = {
      kind: "pair",
      inputs: { a: x, b: x },
      parameters: { weight: matrix },
      build: ({ inputs: { a, b }, parameters }) => ({ y: mul(tanh(linear(a, parameters.weight)), b) }),
    };
    const end = call(reduced, "end", { x: "z" }, { loss: "loss" });
    const twice = networkOf(call(grow, "first", { x: "given" }, { y: "y" }), call(pair, "pair", { a: "y", b: "y" }, { y: "z" }), end);
    await expect(open(twice, randomStore(twice))).rejects.toThrow("internal: pair takes one tensor as several of its inputs");
    await expectJoined(networkOf(call(pair, "pair", { a: "given", b: "given" }, { y: "z" }), end), "keep");
  });

  test.each(policies)("an output may pass an input on unchanged, or be read by several calls, residuals: %s", async (policy) => {
    const both: Block = {
      kind: "both",
      inputs: { x },
      parameters: { weight: matrix },
      build: ({ inputs, parameters }) => ({ same: inputs.x, y: linear(inputs.x, parameters.weight) }),
    };
    const sumOfThree: Block = {
      kind: "three",
      inputs: { a: x, b: x, c: x },
      parameters: {},
      build: ({ inputs: { a, b, c } }) => ({ loss: mean(square(add(mul(a, b), c))) }),
    };
    await expectJoined(
      networkOf(
        call(grow, "first", { x: "given" }, { y: "y" }),
        call(both, "both", { x: "y" }, { same: "same", y: "z" }),
        call(sumOfThree, "end", { a: "same", b: "z", c: "y" }, { loss: "loss" }),
      ),
      policy,
    );
  });

  test.each(policies)("an output that does not lead to the loss gets no gradient, residuals: %s", async (policy) => {
    const twoWays: Block = {
      kind: "two ways",
      inputs: { x },
      parameters: { weight: matrix, unused: matrix },
      build: ({ inputs, parameters }) => ({ y: linear(inputs.x, parameters.weight), aside: linear(inputs.x, parameters.unused) }),
    };
    const network = networkOf(
      call(grow, "first", { x: "given" }, { y: "y" }),
      call(twoWays, "two", { x: "y" }, { y: "z", aside: "aside" }),
      call(reduced, "end", { x: "z" }, { loss: "loss" }),
    );
    const store = randomStore(network);
    const { gradients } = await gradientAt(await open(network, store, policy), store, given);
    expect(gradients.get("two.unused")!.every((value) => value === 0)).toBe(true);
    expect(gradients.get("two.weight")!.some((value) => value !== 0)).toBe(true);
  });

  test.each(policies)(
    "a reduction whose operand nothing else needs has its gradient in the operand's shape, residuals: %s",
    async (policy) => {
      const summed: Block = {
        kind: "summed",
        inputs: { x },
        parameters: {},
        build: ({ inputs }) => ({ y: sum(inputs.x, [1]), half: mean(inputs.x) }),
      };
      const squared: Block = {
        kind: "squared",
        inputs: { y: { dtype: "float32", shape: [rows, 4] }, half: { dtype: "float32", shape: [] } },
        parameters: {},
        build: ({ inputs: { y, half } }) => ({ loss: add(sum(square(y)), half) }),
      };
      await expectJoined(
        networkOf(
          call(grow, "first", { x: "given" }, { y: "y" }),
          call(summed, "summed", { x: "y" }, { y: "sums", half: "half" }),
          call(squared, "end", { y: "sums", half: "half" }, { loss: "loss" }),
        ),
        policy,
      );
    },
  );

  test("an output in the middle can be asked for", async () => {
    const network = networkOf(
      call(grow, "first", { x: "given" }, { y: "y" }),
      ...[0, 1, 2, 3].map((index) => call(grow, `more ${index}`, { x: index === 0 ? "y" : `z ${index}` }, { y: `z ${index + 1}` })),
      call(reduced, "end", { x: "z 4" }, { loss: "loss" }),
    );
    const store = createParameterStore(testRuntime(), networkParameters(network), (name) => name === "more 3.weight");
    const random = randomGenerator(3);
    for (const { tensor } of store.parameters.values())
      (tensor.data as Float32Array).forEach((_, at, data) => (data[at] = random.normal()));
    const inference = await createInferenceExecutor(testRuntime(), network, store, ["y", "z 1"]);
    const expected = await inference.run(given.bindings, given.inputs);
    const found = await (await open(network, store, "checkpoint")).run(given, ["y", "z 1"]);
    for (const name of ["y", "z 1"]) expect(relativeError(found[name], expected[name]), name).toBeLessThan(1e-6);
  });

  test("attention over a memory that is a network input needs no gradient of it", async () => {
    const cross: Block = {
      kind: "cross",
      inputs: { y: x, memory: x },
      parameters: { weight: matrix },
      build: ({ inputs: { y, memory }, parameters }) => {
        const heads = [rows, 1, length, 4];
        const context = attention(reshape(linear(y, parameters.weight), heads), reshape(memory, heads), reshape(memory, heads), {
          scale: 0.5,
        });
        return { y: reshape(context, y.shape) };
      },
    };
    await expectJoined(
      networkOf(
        call(grow, "first", { x: "given" }, { y: "y" }),
        call(cross, "cross", { y: "y", memory: "given" }, { y: "z" }),
        call(reduced, "end", { x: "z" }, { loss: "loss" }),
      ),
      "recompute",
    );
  });
});
