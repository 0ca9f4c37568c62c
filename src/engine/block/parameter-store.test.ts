import { describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import type { ParameterDeclaration } from "./block.js";
import { createParameterStore } from "./parameter-store.js";

const declare = (shape: number[], decay: boolean): ParameterDeclaration => ({ shape, initialise: { kind: "zeros" }, decay });
const declarations = new Map([
  ["a.bias", declare([3], false)],
  ["a.weight", declare([3, 7], true)],
  ["frozen", declare([5], true)],
  ["b.weight", declare([2, 2], true)],
  ["scale", declare([], false)],
]);
const create = (trainable: (name: string) => boolean) => createParameterStore(testRuntime(), declarations, trainable);

describe("the layout", () => {
  const store = create((name) => name !== "frozen");
  const place = (name: string) => {
    const { offset, length, trainable } = store.parameters.get(name)!;
    return [offset, length, trainable];
  };

  test("has decayed parameters first, then those without decay, then frozen ones, each aligned", () => {
    expect([...store.parameters.keys()]).toEqual([...declarations.keys()]);
    expect(place("a.weight")).toEqual([0, 21, true]);
    expect(place("b.weight")).toEqual([32, 4, true]);
    expect(place("a.bias")).toEqual([48, 3, true]);
    expect(place("scale")).toEqual([64, 1, true]);
    expect(place("frozen")).toEqual([80, 5, false]);
    expect(store.trainedLength).toBe(80);
    expect([store.weights.byteLength, store.gradients!.byteLength]).toEqual([4 * 96, 4 * 80]);
  });

  test("has a group for each way of decay", () => {
    expect(store.groups.map(({ decay, start, end, parameters }) => [decay, start, end, parameters.map(({ name }) => name)])).toEqual([
      [true, 0, 48, ["a.weight", "b.weight"]],
      [false, 48, 80, ["a.bias", "scale"]],
    ]);
  });

  test("has weight and gradient of a parameter at the same place", () => {
    const { tensor, gradient } = store.parameters.get("b.weight")!;
    expect([tensor.shape, gradient!.shape]).toEqual([
      [2, 2],
      [2, 2],
    ]);
    (tensor.data as Float32Array).fill(1);
    (gradient!.data as Float32Array).fill(2);
    const flat = (memory: typeof store.weights) => [...(testRuntime().tensor(memory, 32 * 4, "float32", [5]).data as Float32Array)];
    expect(flat(store.weights)).toEqual([1, 1, 1, 1, 0]);
    expect(flat(store.gradients!)).toEqual([2, 2, 2, 2, 0]);
    store.clearGradients();
    expect(flat(store.gradients!)).toEqual([0, 0, 0, 0, 0]);
    expect(flat(store.weights)).toEqual([1, 1, 1, 1, 0]);
  });
});

test("a store of frozen parameters has no gradients at all", () => {
  const store = create(() => false);
  expect([store.gradients, store.trainedLength, store.groups]).toEqual([undefined, 0, []]);
  expect(store.parameters.get("frozen")!.gradient).toBeUndefined();
  store.clearGradients();
});

test("groups without parameters are left out", () => {
  expect(create((name) => name === "scale").groups.map(({ decay }) => decay)).toEqual([false]);
});
