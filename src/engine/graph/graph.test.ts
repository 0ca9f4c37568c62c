/** Graphs: how they print, what they refuse, and rewrites that leave the values as they are. */
import { describe, expect, test } from "vitest";
import { computeGraph, float32 } from "../../../test/engine/compute-graph.js";
import { add, concat, constant, exp, gather, gelu, layerNorm, linear, mul, reshape, rmsNorm, silu, softmax } from "../ops/index.js";
import { multiplyDimensions, symbol } from "./dimension.js";
import { Graph } from "./graph.js";
import { expandComposites, mergeDuplicates, rewriteGraph } from "./rewrite.js";
import { input, withScope } from "./value.js";

const [batch, seq] = [symbol("batch"), symbol("seq")];
const x = input("x", "float32", [batch, seq, 4]);

test("a graph prints a line for each node, with types and attributes", () => {
  const weight = input("weight", "float32", [6, 4]);
  const gain = input("gain", "float32", [6]);
  const ids = input("ids", "int64", [seq]);
  const hidden = gelu(linear(x, weight));
  const rows = reshape(layerNorm(hidden, gain, gain, 1e-5), [multiplyDimensions(batch, seq), 6]);
  const graph = new Graph(
    [x, weight, gain, ids],
    [
      { name: "probabilities", value: softmax(mul(rows, 0.5)) },
      { name: "picked", value: gather(weight, ids) },
    ],
  );
  expect(graph.toString()).toMatchInlineSnapshot(`
    "input x: float32[batch, seq, 4]
    input weight: float32[6, 4]
    input gain: float32[6]
    input ids: int64[seq]
    %0: float32[batch*seq, 4] = Reshape(x) {shape=[batch*seq, 4]}
    %1: float32[batch*seq, 6] = Linear(%0, weight)
    %2: float32[batch, seq, 6] = Reshape(%1) {shape=[batch, seq, 6]}
    %3: float32[batch, seq, 6] = Gelu(%2)
    %4: float32[batch, seq, 6], %5: float32[batch, seq, 1], %6: float32[batch, seq, 1] = LayerNormalization(%3, gain, gain) {epsilon=0.00001}
    %7: float32[batch*seq, 6] = Reshape(%4) {shape=[batch*seq, 6]}
    %8: float32[] = Constant() {dtype=float32, shape=[], data=[0.5]}
    %9: float32[batch*seq, 6] = Mul(%7, %8)
    %10: float32[batch*seq, 6] = Softmax(%9)
    %11: float32[seq, 4] = Gather(weight, ids) {axis=0}
    output probabilities = %10
    output picked = %11"
  `);
});

test("values that no output needs are left out", () => {
  exp(x);
  expect(new Graph([x], [{ name: "y", value: add(x, x) }]).nodes.map((node) => node.op.name)).toEqual(["Add"]);
});

describe("a graph refuses", () => {
  test("to read an input that it does not have", () => {
    const y = withScope("encoder", () => withScope("layer.3", () => add(x, input("bias", "float32", [4]))));
    expect(() => new Graph([x], [{ name: "y", value: y }])).toThrow(
      "internal: Add in encoder.layer.3 reads bias: float32[4], which is not among the graph's inputs",
    );
  });
  test("two inputs of one name, and inputs that are computed", () => {
    expect(() => new Graph([x, input("x", "float32", [4])], [{ name: "y", value: x }])).toThrow("internal: two graph inputs are named x");
    expect(() => new Graph([exp(x)], [{ name: "y", value: x }])).toThrow("is not an input value");
  });
});

test("a mistake in a layer is reported with the layer, the op and its inputs", () => {
  const build = () => withScope("encoder", () => withScope("layer.3", () => linear(x, input("weight", "float32", [6, 5]))));
  expect(build).toThrowErrorMatchingInlineSnapshot(`
    [ShapeError: the input's last dimension and the weight's should be equal, got 4 and 5
      op: Linear(Reshape: float32[batch*seq, 4], weight: float32[6, 5])
      in: encoder.layer.3]
  `);
});

describe("rewrites", () => {
  const data = float32([1, 2, 4], [0.1, -0.2, 0.3, 0.4, 1, -1, 0.5, 2]);

  test("composites are replaced by their definitions, layer names kept", async () => {
    const gain = input("gain", "float32", [4]);
    const graph = new Graph([x, gain], [{ name: "y", value: withScope("norm", () => silu(rmsNorm(x, gain, 1e-6))) }]);
    const expanded = expandComposites(graph);
    expect(graph.nodes.map((node) => node.op.name)).toEqual(["RmsNormalization", "Silu"]);
    expect(expanded.nodes.map((node) => node.op.name)).not.toContain("Silu");
    expect(new Set(expanded.nodes.map((node) => node.scope))).toEqual(new Set(["norm"]));
    const given = [data, float32([4], [1, 2, 3, 4])];
    expect(await computeGraph(expanded, given)).toEqual(await computeGraph(graph, given));
  });

  test("what is computed twice is computed once", async () => {
    const twice = (): ReturnType<typeof exp> => mul(exp(x), constant("float32", [4], [1, 2, 3, 4]));
    const graph = new Graph(
      [x],
      [{ name: "y", value: concat([twice(), twice(), mul(exp(x), constant("float32", [4], [1, 2, 3, 5]))], 0) }],
    );
    const merged = mergeDuplicates(graph);
    expect(merged.nodes.map((node) => node.op.name).sort()).toEqual(["Concat", "Constant", "Constant", "Exp", "Mul", "Mul"]);
    expect(await computeGraph(merged, [data])).toEqual(await computeGraph(graph, [data]));
  });

  test("equal constants of other types or shapes stay apart", () => {
    const values = [constant("int64", [1], [1]), constant("int64", [], [1]), constant("int32", [1], [1]), constant("int64", [1], [1])];
    const merged = mergeDuplicates(
      new Graph(
        [],
        values.map((value, at) => ({ name: `c${at}`, value })),
      ),
    );
    expect(merged.nodes).toHaveLength(3);
  });

  test("a rule sees inputs that are already rewritten", () => {
    const graph = new Graph([x], [{ name: "y", value: exp(exp(exp(x))) }]);
    const dropped = rewriteGraph(graph, (node) => (node.op.name === "Exp" ? node.inputs : undefined));
    expect(dropped.outputs[0].value).toBe(x);
  });
});
