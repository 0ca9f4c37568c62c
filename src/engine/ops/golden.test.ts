/** Values and gradients of ops against PyTorch's, computed there in float64 (reference/make_op_goldens.py). */
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { computeGraph, type Numbers } from "../../../test/engine/compute-graph.js";
import { openSafetensors } from "../../checkpoint/safetensors.js";
import { backward } from "../autodiff/backward.js";
import { Graph } from "../graph/graph.js";
import { expandComposites } from "../graph/rewrite.js";
import { input, type Value } from "../graph/value.js";
import * as ops from "./index.js";

const goldens = openSafetensors(join(import.meta.dirname, "../../../test/op-goldens.safetensors"));
afterAll(() => goldens.close());

function golden(name: string): Numbers {
  const { dtype, shape } = goldens.info(name);
  if (dtype !== "I64") return { dtype: "float32", shape, data: [...goldens.readFloat32(name)] };
  const bytes = goldens.readRaw(name);
  return { dtype: "int64", shape, data: Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8), Number) };
}

interface Case {
  /** Names of the golden tensors that go in, in the order of `build`'s arguments. */
  readonly inputs: readonly string[];
  readonly build: (...inputs: Value[]) => Value;
  /** Bound on |error| / max(1, |expected|) of the values and of the gradients. */
  readonly tolerance?: number;
}

const ofX = (build: (x: Value) => Value, tolerance?: number): Case => ({ inputs: ["x"], build, tolerance });
const mean = ({ sum, weight }: ops.CrossEntropy) => ops.reshape(ops.div(sum, weight), [1]);
const overMiddleAxis = (op: (x: Value) => Value) => ofX((x) => ops.transpose(op(ops.transpose(x, [0, 2, 1])), [0, 2, 1]));
const norm = (epsilon: number, tolerance?: number): Case => ({
  inputs: ["x", "weight", "bias"],
  build: (x, weight, bias) => ops.layerNorm(x, weight, bias, epsilon),
  tolerance,
});
const rms: Case = { inputs: ["x", "weight"], build: (x, weight) => ops.rmsNorm(x, weight, 1e-6) };
const attention: Case = {
  inputs: ["q", "k", "v", "mask"],
  build: (q, k, v, bias) => ops.attention(q, k, v, { scale: 0.5, bias }),
};

const cases: Record<string, Case> = {
  gelu: ofX(ops.gelu),
  gelu_tanh: ofX(ops.geluTanh),
  silu: ofX(ops.silu),
  sigmoid: ofX(ops.sigmoid),
  tanh: ofX(ops.tanh),
  erf: ofX(ops.erf),
  relu: ofX(ops.relu),
  softmax: ofX(ops.softmax),
  softmax_steep: ofX(ops.softmax),
  softmax_middle_axis: overMiddleAxis(ops.softmax),
  softmax_masked: { inputs: ["x", "mask"], build: (x, mask) => ops.softmax(ops.add(x, mask)) },
  logsoftmax: ofX(ops.logSoftmax),
  logsoftmax_steep: ofX(ops.logSoftmax),
  logsoftmax_middle_axis: overMiddleAxis(ops.logSoftmax),
  layernorm: norm(1e-5),
  layernorm_tiny_eps: norm(1e-12, 1e-5), // gradients of a thousand, the differences of larger ones
  layernorm_large_mean: norm(1e-12),
  rmsnorm: rms,
  rmsnorm_large: rms,
  cross_entropy: { inputs: ["logits", "labels"], build: (logits, labels) => mean(ops.crossEntropy(logits, labels)) },
  cross_entropy_sum: { inputs: ["logits", "labels"], build: (logits, labels) => ops.reshape(ops.crossEntropy(logits, labels).sum, [1]) },
  cross_entropy_weighted: {
    inputs: ["logits", "labels", "weights"],
    build: (logits, labels, weights) => mean(ops.crossEntropy(logits, labels, { weights })),
  },
  cross_entropy_masked: {
    inputs: ["logits", "labels", "mask"],
    build: (logits, labels, mask) => mean(ops.crossEntropy(ops.add(logits, mask), labels)),
  },
  cumsum: ofX((x) => ops.cumulativeSum(x, -1)),
  cumsum_first_axis: ofX((x) => ops.cumulativeSum(x, 0)),
  cumsum_reverse: ofX((x) => ops.cumulativeSum(x, -1, { reverse: true })),
  cumsum_exclusive: ofX((x) => ops.cumulativeSum(x, -1, { exclusive: true })),
  gather: { inputs: ["table", "indices"], build: (table, indices) => ops.gather(table, indices) },
  gather_axis_1: { inputs: ["x", "indices"], build: (x, indices) => ops.gather(x, indices, 1) },
  gather_elements: { inputs: ["x", "indices"], build: (x, indices) => ops.gatherAlong(x, indices, 1) },
  attention,
  attention_steep: { ...attention, tolerance: 3e-5 }, // scores of ±40 have an error of 4e-6 in float32, and their exponentials that relative one
};

function expectClose(actual: Numbers, expected: Numbers, tolerance: number): void {
  expect(actual.shape).toEqual(expected.shape);
  const errors = actual.data.map((value, at) => Math.abs(value - expected.data[at]) / Math.max(1, Math.abs(expected.data[at])));
  expect(Math.max(...errors)).toBeLessThan(tolerance);
}

describe("against PyTorch", () => {
  test("every golden op is covered", () => {
    const known = new Set(goldens.names().map((name) => name.slice(0, name.indexOf("."))));
    expect(Object.keys(cases).sort()).toEqual([...known].sort());
  });

  test.each(Object.entries(cases))("%s: values and gradients", async (name, { inputs, build, tolerance = 3e-6 }) => {
    const given = inputs.map((tensor) => golden(`${name}.${tensor}`));
    const values = given.map(({ dtype, shape }, index) => input(inputs[index], dtype, shape));
    const forward = expandComposites(new Graph(values, [{ name: "y", value: build(...values) }]));
    const dy = input("dy", "float32", golden(`${name}.dy`).shape);
    const wanted = inputs.filter((tensor) => goldens.names().includes(`${name}.d${tensor}`));
    const gradients = backward(
      [{ value: forward.outputs[0].value, gradient: dy }],
      wanted.map((tensor) => values[inputs.indexOf(tensor)]),
    );
    const graph = new Graph(
      [...values, dy],
      [forward.outputs[0], ...wanted.map((tensor, at) => ({ name: `d${tensor}`, value: gradients[at]! }))],
    );
    for (const fused of [true, false]) {
      const results = await computeGraph(graph, [...given, golden(`${name}.dy`)], { fused });
      ["y", ...wanted.map((tensor) => `d${tensor}`)].forEach((tensor, at) =>
        expectClose(results[at], golden(`${name}.${tensor}`), tolerance),
      );
    }
  });
});
