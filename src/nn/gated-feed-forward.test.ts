/** The gated feed-forward, held to its equation, and where it drops. */
import { expect, test } from "vitest";
import { computeGraph, float32 } from "../../test/engine/compute-graph.js";
import { Graph, input } from "../engine/index.js";
import { gatedFeedForward } from "./gated-feed-forward.js";

test("the first half of the input layer's outputs is activated and multiplied with the second, dropped, and led back", async () => {
  const x = input("x", "float32", [1, 2, 2]);
  const parameters = {
    "f.input.weight": input("input weight", "float32", [4, 2]),
    "f.output.weight": input("output weight", "float32", [1, 2]),
    "f.output.bias": input("output bias", "float32", [1]),
  };
  const dropped: string[] = [];
  const scope = {
    inputs: {},
    parameters,
    dropout: (value: typeof x, rate: number) => (dropped.push(`${String(value.shape)} at ${rate}`), value),
    dropoutMask: () => undefined,
  };
  const y = gatedFeedForward(scope, "f", x, { intermediate: 2, activation: "relu", dropout: 0.1 });
  const [{ shape, data }] = await computeGraph(new Graph([x, ...Object.values(parameters)], [{ name: "y", value: y }]), [
    float32([1, 2, 2], [1, 2, -1, 3]),
    float32([4, 2], [1, 0, 0, 1, 2, 0, 1, 1]), // activated: x₀, x₁; gate: 2·x₀, x₀ + x₁
    float32([1, 2], [1, 10]),
    float32([1], [0.5]),
  ]);
  expect([shape, data]).toEqual([
    [1, 2, 1],
    [1 * 2 + 10 * (2 * 3) + 0.5, 0 + 10 * (3 * 2) + 0.5],
  ]);
  expect(dropped).toEqual(["1,2,2 at 0.1"]);
});
