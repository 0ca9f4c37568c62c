/** What a block's trace and its two graphs look like, printed: a change of what is kept or computed again shows here. */
import { describe, expect, test } from "vitest";
import { symbol } from "../graph/dimension.js";
import { add, cast, equal, linear, mul, sub, sum, tanh } from "../ops/index.js";
import type { ResidualPolicy } from "../autodiff/residuals.js";
import { type Block, networkParameters, traceBlock } from "./block.js";
import { outputDependencies } from "./dependencies.js";
import { differentiate } from "./differentiate.js";

const [batch, seq] = [symbol("batch"), symbol("seq")];

/** y = x + dropout(tanh(x·Wᵀ + b)) */
const residualLayer: Block = {
  kind: "residual layer",
  inputs: { x: { dtype: "float32", shape: [batch, seq, 4] } },
  parameters: {
    weight: { shape: [4, 4], initialise: { kind: "normal", deviation: 0.1 }, decay: true },
    bias: { shape: [4], initialise: { kind: "zeros" }, decay: false },
  },
  build: ({ inputs: { x }, parameters, dropout }) => ({ y: add(x, dropout(tanh(linear(x, parameters.weight, parameters.bias)), 0.1)) }),
};

const pair = (policy: ResidualPolicy, options: Partial<Parameters<typeof differentiate>[1]> = {}) =>
  differentiate(residualLayer, {
    inputs: new Map([["x", "write"]]),
    outputs: ["y"],
    parameters: new Set(["weight", "bias"]),
    policy,
    ...options,
  });

describe("traceBlock", () => {
  test("in training takes a mask for each place of dropout, in inference none", () => {
    const training = traceBlock(residualLayer, { training: true });
    expect(training.dropouts.map(({ mask, rate }) => [String(mask), rate])).toEqual([["mask 0: float32[batch, seq, 4]", 0.1]]);
    expect(traceBlock(residualLayer, { training: false }).dropouts).toEqual([]);
  });

  test("a rate of 0 drops nothing and needs no mask", () => {
    const block: Block = { ...residualLayer, build: ({ inputs, dropout }) => ({ y: dropout(inputs.x, 0) }) };
    const { dropouts, inputs, outputs } = traceBlock(block, { training: true });
    expect(dropouts).toEqual([]);
    expect(outputs.get("y")).toBe(inputs.get("x"));
  });

  test("a wrong shape is told with the layer's name", () => {
    const block: Block = { ...residualLayer, inputs: { x: { dtype: "float32", shape: [batch, seq, 5] } } };
    expect(() => traceBlock(block, { training: true, scope: "encoder.layer.3" })).toThrow(/got 5 and 4[^]*in: encoder\.layer\.3/);
  });
});

test("the parameters of a network are those of its calls, a tied one once", () => {
  const call = (name: string, weight: string) => ({
    block: residualLayer,
    name,
    inputs: { x: "x" },
    outputs: { y: "y" },
    parameters: { weight, bias: `${name}.bias` },
  });
  const network = { inputs: residualLayer.inputs, calls: [call("a", "tied"), call("b", "tied"), call("c", "own")] };
  expect([...networkParameters(network).keys()]).toEqual(["tied", "a.bias", "b.bias", "own", "c.bias"]);
  const untold = { ...call("d", "w"), parameters: { weight: "w" } };
  expect(() => networkParameters({ inputs: {}, calls: [untold] })).toThrow("internal: call d does not say which parameter bias is");
});

describe("the pair of graphs", () => {
  test("keeps everything", () => {
    const { forward, backward } = pair("keep");
    expect(`${forward.graph}\n---\n${backward!.graph}`).toMatchInlineSnapshot(`
      "input x: float32[batch, seq, 4]
      input parameter weight: float32[4, 4]
      input parameter bias: float32[4]
      input mask 0: float32[batch, seq, 4]
      %0: float32[batch*seq, 4] = Reshape(x) {shape=[batch*seq, 4]}
      %1: float32[batch*seq, 4] = Linear(%0, parameter weight, parameter bias)
      %2: float32[batch, seq, 4] = Reshape(%1) {shape=[batch, seq, 4]}
      %3: float32[batch, seq, 4] = Tanh(%2)
      %4: float32[batch, seq, 4] = Mul(%3, mask 0)
      %5: float32[batch, seq, 4] = Add(x, %4)
      output output y = %5
      output residual 0 = %3
      ---
      input x: float32[batch, seq, 4]
      input parameter weight: float32[4, 4]
      input mask 0: float32[batch, seq, 4]
      input residual 0: float32[batch, seq, 4]
      input d y: float32[batch, seq, 4]
      input total 1: float32[4, 4]
      input total 2: float32[4]
      %0: float32[batch, seq, 4] = Mul(d y, mask 0)
      %1: float32[] = Constant() {dtype=float32, shape=[], data=[1]}
      %2: float32[batch, seq, 4] = Mul(residual 0, residual 0)
      %3: float32[batch, seq, 4] = Sub(%1, %2)
      %4: float32[batch, seq, 4] = Mul(%0, %3)
      %5: float32[batch*seq, 4] = Reshape(%4) {shape=[batch*seq, 4]}
      %6: float32[batch*seq, 4] = MatMul(%5, parameter weight) {transposeA=false, transposeB=false, scale=1}
      %7: float32[batch, seq, 4] = Reshape(%6) {shape=[batch, seq, 4]}
      %8: float32[batch, seq, 4] = Add(d y, %7)
      %9: float32[batch*seq, 4] = Reshape(x) {shape=[batch*seq, 4]}
      %10: float32[4, 4] = AccumulatingMatMul(total 1, %5, %9) {transposeA=true, transposeB=false, scale=1}
      %11: float32[4] = ReduceSum(%5) {axes=[0], keepDimensions=false}
      %12: float32[4] = Add(total 2, %11)
      output gradient 0 = %8
      output gradient 1 = %10
      output gradient 2 = %12"
    `);
    expect(forward.outputs).toEqual([
      { kind: "output", name: "y" },
      { kind: "residual", index: 0 },
    ]);
  });

  test("computes again what is cheap", () => {
    const { forward, backward, residuals } = pair("recompute");
    expect(residuals).toHaveLength(1);
    const kept = pair("keep"); // of this block nothing is cheap but what the cut leaves out anyway
    expect(`${forward.graph}\n---\n${backward!.graph}`).toBe(`${kept.forward.graph}\n---\n${kept.backward!.graph}`);
  });

  test("keeps nothing of a checkpointed block", () => {
    const { forward, backward, residuals } = pair("checkpoint");
    expect(residuals).toEqual([]);
    expect(forward.outputs).toEqual([{ kind: "output", name: "y" }]);
    expect(`${backward!.graph}`).toMatchInlineSnapshot(`
      "input x: float32[batch, seq, 4]
      input parameter weight: float32[4, 4]
      input parameter bias: float32[4]
      input mask 0: float32[batch, seq, 4]
      input d y: float32[batch, seq, 4]
      input total 1: float32[4, 4]
      input total 2: float32[4]
      %0: float32[batch, seq, 4] = Mul(d y, mask 0)
      %1: float32[] = Constant() {dtype=float32, shape=[], data=[1]}
      %2: float32[batch*seq, 4] = Reshape(x) {shape=[batch*seq, 4]}
      %3: float32[batch*seq, 4] = Linear(%2, parameter weight, parameter bias)
      %4: float32[batch, seq, 4] = Reshape(%3) {shape=[batch, seq, 4]}
      %5: float32[batch, seq, 4] = Tanh(%4)
      %6: float32[batch, seq, 4] = Mul(%5, %5)
      %7: float32[batch, seq, 4] = Sub(%1, %6)
      %8: float32[batch, seq, 4] = Mul(%0, %7)
      %9: float32[batch*seq, 4] = Reshape(%8) {shape=[batch*seq, 4]}
      %10: float32[batch*seq, 4] = MatMul(%9, parameter weight) {transposeA=false, transposeB=false, scale=1}
      %11: float32[batch, seq, 4] = Reshape(%10) {shape=[batch, seq, 4]}
      %12: float32[batch, seq, 4] = Add(d y, %11)
      %13: float32[4, 4] = AccumulatingMatMul(total 1, %9, %2) {transposeA=true, transposeB=false, scale=1}
      %14: float32[4] = ReduceSum(%9) {axes=[0], keepDimensions=false}
      %15: float32[4] = Add(total 2, %14)
      output gradient 0 = %12
      output gradient 1 = %13
      output gradient 2 = %15"
    `);
  });

  test("adds to the gradient of an input that others have written to", () => {
    const { backward } = pair("keep", { inputs: new Map([["x", "accumulate"]]) });
    expect(backward!.inputs.filter(({ kind }) => kind === "inputGradient")).toEqual([{ kind: "inputGradient", name: "x" }]);
    expect(pair("keep").backward!.inputs.filter(({ kind }) => kind === "inputGradient")).toEqual([]);
    expect(backward!.outputs).toEqual(pair("keep").backward!.outputs);
  });

  test("has no gradient of what is frozen, and no backward graph where nothing is wanted", () => {
    const outputsOf = (parameters: string[], inputs: string[]) =>
      pair("keep", { parameters: new Set(parameters), inputs: new Map(inputs.map((name) => [name, "write" as const])) }).backward?.outputs;
    expect(outputsOf(["bias"], [])).toEqual([{ kind: "parameterGradient", name: "bias" }]);
    expect(outputsOf([], ["x"])).toEqual([{ kind: "inputGradient", name: "x" }]);
    expect(outputsOf([], [])).toBeUndefined();
  });

  test("of a frozen layer keeps no input for a weight's gradient", () => {
    const { backward } = pair("keep", { parameters: new Set() });
    expect(backward!.inputs.map(({ kind }) => kind)).not.toContain("input");
    expect(`${backward!.graph}`).not.toMatch(/total|AccumulatingMatMul/);
  });

  test("a parameter reached only through an op without a gradient is told, with the way to it", () => {
    const block: Block = {
      ...residualLayer,
      build: ({ inputs: { x }, parameters }) => ({ y: mul(x, cast(equal(linear(x, parameters.weight), 0), "float32")) }),
    };
    const attempt = () => differentiate(block, { inputs: new Map(), outputs: ["y"], parameters: new Set(["weight"]), policy: "keep" });
    expect(outputDependencies(block).get("y")).toEqual({ inputs: new Set(["x"]), parameters: new Set() });
    expect(attempt().backward).toBeUndefined();
  });
});

test("outputs depend on what a gradient of them reaches", () => {
  const block: Block = {
    kind: "several",
    inputs: { a: { dtype: "float32", shape: [batch] }, b: { dtype: "float32", shape: [batch] }, ids: { dtype: "int64", shape: [batch] } },
    parameters: { scale: { shape: [], initialise: { kind: "ones" }, decay: false } },
    build: ({ inputs: { a, b, ids }, parameters }) => ({
      product: mul(a, mul(b, parameters.scale)),
      distance: sum(sub(a, cast(ids, "float32"))),
      same: cast(equal(a, b), "float32"),
      ids,
      a,
    }),
  };
  const of = (inputs: string[], parameters: string[] = []) => ({ inputs: new Set(inputs), parameters: new Set(parameters) });
  expect(Object.fromEntries(outputDependencies(block))).toEqual({
    product: of(["a", "b"], ["scale"]),
    distance: of(["a"]),
    same: of([]),
    ids: of([]),
    a: of(["a"]),
  });
});
