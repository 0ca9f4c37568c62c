/** Half precision where it would break: angles of far places, and rows that hide all they could see. */
import { expect, test } from "vitest";
import { computeGraph, float32, int64 } from "../../test/engine/compute-graph.js";
import { add, constant, Graph, input, maskBias, cast, softmax, symbol } from "../engine/index.js";
import { rotaryTables } from "../nn/rotary.js";
import { inFloat16 } from "./float16.js";

test("sines and cosines of places beyond 2,048, which float16 has no odd numbers for, are those of float32", async () => {
  const positions = input("positions", "int64", [symbol("count")]);
  const { cosines, sines } = rotaryTables(positions, { head: 8, theta: 10_000 });
  const graph = new Graph(
    [positions],
    [
      { name: "cosines", value: cosines },
      { name: "sines", value: sines },
    ],
  );
  const given = [int64([3], [1, 4097, 8191])];
  const [exact, half] = [await computeGraph(graph, given), await computeGraph(inFloat16(graph), given)];
  exact.forEach(({ data }, table) => data.forEach((value, at) => expect(Math.abs(half[table].data[at] - value)).toBeLessThan(6e-4)));
});

test("a row whose every place is hidden stays a distribution, and one that sees something sees that alone", async () => {
  const [scores, mask] = [input("scores", "float32", [2, 4]), input("mask", "int64", [2, 4])];
  const hidden = add(scores, maskBias(cast(mask, "bool")));
  const graph = new Graph([scores, mask], [{ name: "weights", value: softmax(hidden) }]);
  const given = [float32([2, 4], [-60, 3, 40, -9, -60, 3, 40, -9]), int64([2, 4], [0, 0, 0, 0, 1, 1, 0, 1])];
  const [{ data }] = await computeGraph(inFloat16(graph), given);
  data.forEach((value) => expect(Number.isFinite(value)).toBe(true));
  expect(data.slice(4).map((value) => Math.round(value * 100))).toEqual([0, 100, 0, 0]);
  expect(data.slice(0, 4).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 2);
});

test("inputs and outputs keep their types, constants beyond the range become finite", async () => {
  const x = input("x", "float32", [2]);
  const graph = new Graph([x], [{ name: "y", value: add(x, constant("float32", [2], [1e9, -1e9])) }]);
  const half = inFloat16(graph);
  expect([half.inputs[0].dtype, half.outputs[0].value.dtype]).toEqual(["float32", "float32"]);
  const [{ data }] = await computeGraph(half, [float32([2], [1, 1])]);
  data.forEach((value, at) => expect(Math.abs(value - [32753, -32751][at])).toBeLessThanOrEqual(16)); // the spacing of float16 there
});
