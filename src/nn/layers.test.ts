/** The layers that models are made of: what they hide, what they share, what they refuse. */
import { describe, expect, test } from "vitest";
import { computeGraph, float32, int64, testRuntime } from "../../test/engine/compute-graph.js";
import { type Block, type BlockScope, networkParameters } from "../engine/block/block.js";
import { createInferenceExecutor, createParameterStore, Graph, input, symbol } from "../engine/index.js";
import { randomGenerator } from "../engine/random.js";
import { paddingBias, selfAttention } from "./attention.js";
import { postNormEncoderLayer } from "./encoder-layer.js";
import { activations, dense, embedding, norm, scaleAndShift } from "./layers.js";
import { neighbours } from "./neighbours.js";
import { checkpointNames, denseParameters, embeddingParameters, normParameters } from "./parameters.js";

const [batch, seq] = [symbol("batch"), symbol("seq")];
const scopeOf = (parameters: BlockScope["parameters"]): BlockScope => ({
  inputs: {},
  parameters,
  dropout: (x) => x,
  dropoutMask: () => undefined,
});

test("the padding bias is 0 for real tokens and hides the others", async () => {
  const mask = input("mask", "int64", [batch, seq]);
  const graph = new Graph([mask], [{ name: "bias", value: paddingBias(mask) }]);
  const [bias] = await computeGraph(graph, [int64([2, 3], [1, 1, 0, 1, 0, 0])]);
  expect(bias.shape).toEqual([2, 1, 1, 3]);
  expect(bias.data.map((value) => (value < -1e8 ? "hidden" : Math.abs(value)))).toEqual([0, 0, "hidden", 0, "hidden", "hidden"]);
});

test("a dense layer takes a bias where one is declared", async () => {
  const [x, weight, bias] = [input("x", "float32", [2]), input("weight", "float32", [1, 2]), input("bias", "float32", [1])];
  const given = [float32([2], [3, 4]), float32([1, 2], [10, 1]), float32([1], [0.5])];
  const value = (parameters: BlockScope["parameters"], inputs: (typeof x)[]) =>
    computeGraph(new Graph(inputs, [{ name: "y", value: dense(scopeOf(parameters), "layer", x) }]), given.slice(0, inputs.length));
  const [[without], [withBias]] = [
    await value({ "layer.weight": weight }, [x, weight]),
    await value({ "layer.weight": weight, "layer.bias": bias }, [x, weight, bias]),
  ];
  expect([without.data, withBias.data]).toEqual([[34], [34.5]]);
});

test("embedding and norm read the parameters under their name", async () => {
  const [table, ids] = [input("table", "float32", [3, 2]), input("ids", "int64", [2])];
  const [scale, shift] = [input("scale", "float32", [2]), input("shift", "float32", [2])];
  const scope = scopeOf({ "e.weight": table, "n.weight": scale, "n.bias": shift });
  const y = norm(scope, "n", embedding(scope, "e", ids), 0);
  const given = [float32([3, 2], [0, 0, 1, 3, 5, 1]), int64([2], [2, 1]), float32([2], [2, 2]), float32([2], [1, -1])];
  const [{ data }] = await computeGraph(new Graph([table, ids, scale, shift], [{ name: "y", value: y }]), given);
  data.forEach((value, at) => expect(value).toBeCloseTo([3, -3, -1, 1][at], 5));
});

test("scale and shift are the parameters of a norm without its statistics", async () => {
  const [x, scale, shift] = [input("x", "float32", [2, 2]), input("scale", "float32", [2]), input("shift", "float32", [2])];
  const y = scaleAndShift(scopeOf({ "n.weight": scale, "n.bias": shift }), "n", x);
  const given = [float32([2, 2], [1, 2, 3, 4]), float32([2], [10, -1]), float32([2], [0.5, 0])];
  const [{ data }] = await computeGraph(new Graph([x, scale, shift], [{ name: "y", value: y }]), given);
  expect(data).toEqual([10.5, -2, 30.5, -4]);
});

test.each([1, 3])("the neighbours of each of %d places are the sequence moved, with zeros beyond its ends", async (places) => {
  const x = input("x", "float32", [batch, seq, 1]);
  const outputs = neighbours(x, 2).map((value, at) => ({ name: `${at - 2}`, value }));
  const rows = [0, 1].map((row) => Array.from({ length: places }, (_, at) => 1 + row * places + at));
  const moved = await computeGraph(new Graph([x], outputs), [float32([2, places, 1], rows.flat())]);
  expect(moved.map(({ data }) => data)).toEqual(
    [-2, -1, 0, 1, 2].map((by) => rows.flatMap((row) => row.map((_, at) => row[at + by] ?? 0))),
  );
});

test.each(Object.entries(activations))("%s is the function of that name", async (name, activation) => {
  const x = input("x", "float32", [5]);
  const points = [-3, -0.7, 0, 0.4, 2.5];
  const [{ data }] = await computeGraph(new Graph([x], [{ name: "y", value: activation(x) }]), [float32([5], points)]);
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
  const tanhForm = (v: number) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
  const erf = (v: number) => {
    let sum = 0; // ∫₀ᵛ e^(−t²) dt by Simpson's rule
    for (let i = 0; i < 200; i++)
      sum += [0, 0.5, 1].reduce((part, at, k) => part + [1, 4, 1][k] * Math.exp(-((((i + at) * v) / 200) ** 2)), 0);
    return (2 / Math.sqrt(Math.PI)) * ((sum * v) / 1200);
  };
  const expected: Record<string, (v: number) => number> = {
    gelu: (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
    gelu_new: tanhForm,
    gelu_pytorch_tanh: tanhForm,
    relu: (v) => Math.max(0, v),
    silu: (v) => v * sigmoid(v),
    swish: (v) => v * sigmoid(v),
  };
  points.forEach((point, at) => expect(data[at]).toBeCloseTo(expected[name](point), 5));
});

describe("an encoder layer", () => {
  const block: Block = postNormEncoderLayer({
    width: 8,
    heads: 2,
    intermediate: 12,
    activation: "gelu",
    epsilon: 1e-12,
    dropout: 0.1,
    attentionDropout: 0.1,
    deviation: 0.5,
  });
  const network = {
    inputs: block.inputs,
    calls: [
      {
        block,
        name: "layer",
        inputs: { x: "x", bias: "bias" },
        outputs: { x: "y" },
        parameters: Object.fromEntries(Object.keys(block.parameters).map((name) => [name, name])),
      },
    ],
  };
  const store = createParameterStore(testRuntime(), networkParameters(network), () => false);
  for (const [stream, { tensor }] of [...store.parameters.values()].entries()) {
    const random = randomGenerator(1, stream);
    (tensor.data as Float32Array).forEach((_, at, data) => (data[at] = 0.5 * random.normal()));
  }
  const random = randomGenerator(2);
  const x = Float32Array.from({ length: 2 * 6 * 8 }, () => random.normal());
  const run = async (given: Float32Array, hidden: number) => {
    const program = await createInferenceExecutor(testRuntime(), network, store, ["y"]);
    const bias = Float32Array.from({ length: 12 }, (_, at) => (at % 6 >= 6 - hidden ? -1e9 : 0));
    return (await program.run({ batch: 2, seq: 6 }, { x: given, bias })).y;
  };

  test("sees all places, and none that is hidden", async () => {
    const changed = x.map((value, at) => (Math.floor(at / 8) % 6 === 5 ? value + 1 : value));
    const real = (y: Float32Array) => y.filter((_, at) => Math.floor(at / 8) % 6 < 5);
    expect(real(await run(changed, 0))).not.toEqual(real(await run(x, 0)));
    expect(real(await run(changed, 1))).toEqual(real(await run(x, 1)));
  });

  test("treats samples apart", async () => {
    const changed = x.map((value, at) => (at < 48 ? value : -value));
    expect((await run(changed, 0)).slice(0, 48)).toEqual((await run(x, 0)).slice(0, 48));
  });

  test("of one place and one sample works", async () => {
    const program = await createInferenceExecutor(testRuntime(), network, store, ["y"]);
    const { y } = await program.run({ batch: 1, seq: 1 }, { x: x.slice(0, 8), bias: Float32Array.of(0) });
    expect(y.every(Number.isFinite)).toBe(true);
  });

  test("drops at three places: attention weights, and both branches", () => {
    const rates: number[] = [];
    const values = (entries: Block["inputs"]) =>
      Object.fromEntries(Object.entries(entries).map(([name, type]) => [name, input(name, type.dtype, type.shape)]));
    const parameters = Object.fromEntries(
      Object.entries(block.parameters).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
    );
    block.build({
      inputs: values(block.inputs),
      parameters,
      dropout: (value, rate) => (rates.push(rate), value),
      dropoutMask: (shape, rate) => (rates.push(rate), expect(String(shape)).toBe("batch,2,seq,seq"), undefined),
    });
    expect(rates).toEqual([0.1, 0.1, 0.1]);
  });
});

test("heads that do not divide the width are our mistake where a config let them through", () => {
  const x = input("x", "float32", [batch, seq, 8]);
  const scope = scopeOf(
    Object.fromEntries(
      ["query", "key", "value", "output"].flatMap((part) => [
        [`a.${part}.weight`, input(`${part}.weight`, "float32", [8, 8])],
        [`a.${part}.bias`, input(`${part}.bias`, "float32", [8])],
      ]),
    ),
  );
  const bias = input("bias", "float32", [batch, 1, 1, seq]);
  expect(() => selfAttention(scope, "a", x, bias, { heads: 3, dropout: 0 })).toThrow("internal: 3 heads do not divide a width of 8");
});

describe("parameters", () => {
  test("only matrices decay", () => {
    const all = { ...denseParameters("d", 2, 3, 0.1), ...normParameters("n", 3), ...embeddingParameters("e", 5, 2, 0.1) };
    expect(Object.entries(all).map(([name, { shape, decay }]) => `${name} [${shape}] ${decay}`)).toEqual([
      "d.weight [3,2] true",
      "d.bias [3] false",
      "n.weight [3] false",
      "n.bias [3] false",
      "e.weight [5,2] true",
    ]);
  });

  test("have names in the checkpoint, and none is forgotten", () => {
    const declared = { ...denseParameters("attention.query", 2, 2, 1), ...normParameters("norm", 2) };
    const names = { "attention.query": "attention.self.query", norm: "output.LayerNorm" };
    expect(checkpointNames(declared, "bert.", names)).toEqual({
      "attention.query.weight": "bert.attention.self.query.weight",
      "attention.query.bias": "bert.attention.self.query.bias",
      "norm.weight": "bert.output.LayerNorm.weight",
      "norm.bias": "bert.output.LayerNorm.bias",
    });
    expect(() => checkpointNames(declared, "", {})).toThrow("internal: no checkpoint name for attention.query.weight");
  });
});
