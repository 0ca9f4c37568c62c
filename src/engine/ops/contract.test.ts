/**
 * The one contract that every op keeps: the types it infers are those the runtime computes, with sizes known or symbolic; its
 * gradient is that of central differences; and its lowering to standard operators gives the values of the fused one.
 */
import { describe, expect, test } from "vitest";
import { compileGraph, computeGraph, type Numbers } from "../../../test/engine/compute-graph.js";
import { backward } from "../autodiff/backward.js";
import { type Dimension, symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { expandComposites } from "../graph/rewrite.js";
import { input, Node, type Value } from "../graph/value.js";
import "../index.js"; // every op, those of fusions too
import { allOps, type DefinedOp, defineOp, ShapeError } from "./define-op.js";
import { attributesOf, type SampleCase, sampleRandom } from "./sample.js";

/** How the sizes of a case's inputs are written: as they are, or as symbols (one name for one size). */
type Sizes = (size: number, batch: number) => Dimension;
const known: Sizes = (size) => size;
const batchSymbolic: Sizes = (size, batch) => (size === batch && size !== 1 ? symbol("batch") : size);
const allSymbolic: Sizes = (size) => (size !== 1 ? symbol(`n${size}`) : size);
/** Every size a symbol, 1 too: for the ops that do not rely on seeing the 1. */
const evenOnesSymbolic: Sizes = (size) => symbol(`n${size}`);

function applied(op: DefinedOp, sample: SampleCase, sizes: Sizes): Graph {
  const batch = sample.inputs[0]?.shape[0];
  const inputs = sample.inputs.map(({ dtype, shape }, index) =>
    input(
      `x${index}`,
      dtype,
      shape.map((size) => sizes(size, batch)),
    ),
  );
  const outputs = op.apply(inputs, attributesOf(sample, inputs));
  return new Graph(
    inputs,
    outputs.map((value, index) => ({ name: `y${index}`, value })),
  );
}

/** The gradient of Σ outputs·weights: its inputs are those of `graph` and then the weights. */
function gradientGraph(op: DefinedOp, graph: Graph, wanted: readonly number[]): { graph: Graph; weighted: number[] } {
  const expanded = expandComposites(graph);
  const weighted = outputsWithGradient(op, graph);
  const seeds = weighted.map((index) => {
    const { value } = expanded.outputs[index];
    return { value, gradient: input(`w${index}`, "float32", value.shape) };
  });
  const gradients = backward(
    seeds,
    wanted.map((index) => graph.inputs[index]),
  );
  const outputs = gradients.map((value, at) => {
    if (value === undefined) throw new Error(`${op.name} gives no gradient for input ${wanted[at]}`);
    return { name: `g${wanted[at]}`, value };
  });
  return { graph: new Graph([...graph.inputs, ...seeds.map((seed) => seed.gradient)], outputs), weighted };
}

/** Outputs after the first one of an op with a rule of its own are statistics for its gradient. */
function outputsWithGradient(op: DefinedOp, graph: Graph): number[] {
  return graph.outputs.flatMap(({ value }, index) =>
    value.dtype === "float32" && (index === 0 || op.definition.expand !== undefined) ? [index] : [],
  );
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(norm(expected), 1e-3);
  expect(norm(actual.map((value, index) => value - expected[index])) / scale).toBeLessThan(tolerance);
}

function norm(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

function inner(outputs: readonly Numbers[], weights: readonly Numbers[]): number {
  return outputs.reduce((sum, { data }, at) => data.reduce((partial, value, index) => partial + value * weights[at].data[index], sum), 0);
}

for (const op of allOps()) {
  const samples = op.definition.sample(sampleRandom(7));
  const { vjp, expand, differentiable } = op.definition;

  describe(op.name, () => {
    test("has exactly one of a gradient, a definition by other ops, or neither by declaration", () => {
      expect([vjp !== undefined, expand !== undefined, differentiable === false].filter(Boolean)).toHaveLength(1);
      expect(samples.length).toBeGreaterThan(0);
    });

    samples.forEach((sample, index) => {
      const label = `case ${index + 1}, ${sample.inputs.map(({ shape }) => `[${shape}]`).join(" ")}`;

      test(`${label}: types are inferred as the runtime computes them, by either lowering`, async () => {
        const expected = await computeGraph(applied(op, sample, known), sample.inputs);
        const graphs = [known, batchSymbolic, allSymbolic].map((sizes) => applied(op, sample, sizes));
        try {
          graphs.push(applied(op, sample, evenOnesSymbolic));
        } catch (error) {
          if (!(error instanceof ShapeError)) throw error; // it broadcasts, and must know which sizes are 1
        }
        for (const graph of graphs) {
          for (const fused of [true, false]) {
            const results = await computeGraph(graph, sample.inputs, { fused });
            results.forEach((result, at) => {
              expect(result.shape).toEqual(expected[at].shape);
              expectClose(result.data, expected[at].data, 1e-5);
            });
          }
        }
      });

      const wanted = sample.gradientOf ?? sample.inputs.flatMap(({ dtype }, at) => (dtype === "float32" ? [at] : []));
      if (differentiable === false || wanted.length === 0) return;

      test(`${label}: the gradient is that of central differences`, async () => {
        const graph = applied(op, sample, known);
        const forward = await compileGraph(graph);
        const { graph: reverse, weighted } = gradientGraph(op, graph, wanted);
        const random = sampleRandom(11);
        const weights = weighted.map((at) => random.normal(graph.outputs[at].value.shape as number[]));
        const gradients = await computeGraph(reverse, [...sample.inputs, ...weights]);

        const lossAt = async (which: number, element: number, step: number) => {
          const moved = sample.inputs.map((tensor, at) =>
            at === which ? { ...tensor, data: tensor.data.map((value, place) => (place === element ? value + step : value)) } : tensor,
          );
          const outputs = await forward(moved);
          return inner(
            weighted.map((at) => outputs[at]),
            weights,
          );
        };
        const slope = async (which: number, element: number, step: number) =>
          ((await lossAt(which, element, step)) - (await lossAt(which, element, -step))) / (2 * step);

        for (const [at, which] of wanted.entries()) {
          const differences: number[] = [];
          for (let element = 0; element < sample.inputs[which].data.length; element++) {
            // Richardson: the errors of the two slopes, of second order in the step, cancel
            differences.push((4 * (await slope(which, element, 0.01)) - (await slope(which, element, 0.02))) / 3);
          }
          expect(gradients[at].shape).toEqual(sample.inputs[which].shape);
          expectClose(gradients[at].data, differences, 2e-3);
        }
        for (const [at, which] of wanted.entries()) {
          // asked for alone, with the other inputs frozen, it is the same
          const [alone] = await computeGraph(gradientGraph(op, graph, [which]).graph, [...sample.inputs, ...weights]);
          expectClose(alone.data, gradients[at].data, 1e-5);
        }
        for (const sizes of [batchSymbolic, allSymbolic]) {
          const symbolic = await computeGraph(gradientGraph(op, applied(op, sample, sizes), wanted).graph, [...sample.inputs, ...weights]);
          symbolic.forEach((gradient, at) => expectClose(gradient.data, gradients[at].data, 1e-5));
        }
      });
    });
  });
}

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
