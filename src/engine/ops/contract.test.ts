/** The one contract that every op keeps (check-op.ts), for all there are; and that what does not keep it is found. */
import { describe, expect, test } from "vitest";
import { computeGraph, testRuntime } from "../../../test/engine/compute-graph.js";
import { checkOp, opChecks } from "../check-op.js";
import { type Dimension, symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input, Node, type Value } from "../graph/value.js";
import "../index.js"; // every op, those of fusions too
import { mul } from "./arithmetic.js";
import { allOps, type DefinedOp, defineOp, type OpDefinition } from "./define-op.js";
import { sigmoid } from "./elementwise.js";

describe.each(allOps().map((op) => [op.name, op] as const))("%s", (_, op) => {
  test.each(opChecks(op, testRuntime()).map(({ name, run }) => [name, run] as const))("%s", (_name, run) => run());
});

test("a wrongly inferred shape does not pass", async () => {
  const x = input("x", "float32", [symbol("n"), 3]);
  const relu = allOps().find((op) => op.name === "Relu")!;
  const wrong = (shape: Dimension[]): Value => new Node(relu, [x], {}, "", [{ dtype: "float32", shape }]).outputs[0];
  const data = { dtype: "float32" as const, shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
  for (const shape of [[symbol("n"), 4], [3, symbol("n")], [symbol("n")], [6]]) {
    await expect(computeGraph(new Graph([x], [{ name: "y", value: wrong(shape) }]), [data])).rejects.toThrow();
  }
});

test("an op without samples, or without a word on its gradient, does not compile", () => {
  const declarations = () => {
    // @ts-expect-error -- no `sample`
    defineOp({ name: "NoSample", infer: ([x]) => [x], vjp: ({ dy }) => [dy] });
    // @ts-expect-error -- none of `vjp`, `expand` and `differentiable: false`
    defineOp({ name: "NoGradient", infer: ([x]) => [x], sample: () => [] });
    // @ts-expect-error -- both `vjp` and `expand`
    defineOp({ name: "TwoGradients", infer: ([x]) => [x], vjp: ({ dy }) => [dy], expand: ([x]) => [x], sample: () => [] });
  };
  expect(declarations).toBeTypeOf("function");
});

describe("an op of a program", () => {
  const samples: OpDefinition["sample"] = (random) => [{ inputs: [random.normal([2, 3])] }, { inputs: [random.normal([0, 2])] }];
  const lower: OpDefinition["lower"] = (emit, [x]) => [emit.node("Softplus", [x])];
  let made = 0;
  const softplus = (parts: Partial<Pick<OpDefinition, "infer" | "lower">> & { vjp?: OpDefinition["vjp"] }): DefinedOp =>
    defineOp({
      name: `Own${made++}`,
      infer: ([x]) => [x],
      vjp: ({ dy, inputs: [x] }) => [mul(dy, sigmoid(x))],
      lower,
      sample: samples,
      ...parts,
    });

  test("passes where it is right", () => checkOp(softplus({}), testRuntime()));

  test.each<[string, Parameters<typeof softplus>[0], RegExp]>([
    [
      "a gradient",
      { vjp: ({ dy, inputs: [x] }) => [mul(dy, mul(sigmoid(x), 1.1))] },
      /case 1, \[2,3\]: .*the gradient of input 0 differs by 0\.1/,
    ],
    ["a shape", { infer: ([x]) => [{ dtype: x.dtype, shape: [...x.shape].reverse() }] }, /case 1/],
    ["a lowering", { lower: (emit, [x]) => [emit.node(emit.fused ? "Softplus" : "Relu", [x])] }, /output 0 in standard operators differs/],
  ])("is told %s that is wrong, and on which sample", async (_what, parts, told) => {
    const op = softplus(parts);
    await expect(checkOp(op, testRuntime())).rejects.toThrow(told);
    await expect(checkOp(op, testRuntime())).rejects.toThrow(new RegExp(`^${op.name}, `));
  });

  test("cannot take the name of another", () => {
    const again = () => defineOp({ name: "Relu", infer: ([x]) => [x], differentiable: false, sample: samples });
    expect(again).toThrow(expect.objectContaining({ code: "EXTENSION_INVALID" }) as Error);
  });
});
