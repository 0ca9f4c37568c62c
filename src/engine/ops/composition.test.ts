/** What is composed of ops and has no contract case of its own: masks, losses, one-hot rows, parts. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { computeGraph, float32, int64, type Numbers } from "../../../test/engine/compute-graph.js";
import { backward } from "../autodiff/backward.js";
import { symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { expandComposites } from "../graph/rewrite.js";
import { input, type Value } from "../graph/value.js";
import * as ops from "./index.js";

const compute = async (inputs: Value[], value: Value, given: Numbers[]) =>
  (await computeGraph(new Graph(inputs, [{ name: "y", value }]), given))[0];

describe("masks", () => {
  const [queries, keys] = [symbol("queries"), symbol("keys")];
  const q = input("q", "float32", [queries]);
  const k = input("k", "float32", [keys]);
  const rows = (mask: Numbers, width: number) => mask.data.join("").match(new RegExp(`.{${width}}`, "g"));
  const vector = (size: number) => float32([size], Array<number>(size).fill(0));

  test("causal: a query sees its own place and what stands before it", async () => {
    const offset = input("offset", "int64", []);
    const mask = ops.causalMask(queries, keys, offset);
    const at = async (value: number) => rows(await compute([q, k, offset], mask, [vector(2), vector(5), int64([], [value])]), 5);
    expect(await at(0)).toEqual(["10000", "11000"]);
    expect(await at(3)).toEqual(["11110", "11111"]);
  });

  test("window: what is near enough on either side", async () => {
    const mask = ops.windowMask(queries, keys, { before: 2, after: 1 });
    expect(rows(await compute([q, k], mask, [vector(4), vector(5)]), 5)).toEqual(["11000", "11100", "11110", "01111"]);
  });

  test("length: real positions of each row", async () => {
    const lengths = input("lengths", "int64", [symbol("batch")]);
    const mask = ops.lengthMask(lengths, keys);
    expect(rows(await compute([lengths, k], mask, [int64([3], [2, 0, 3]), vector(3)]), 3)).toEqual(["110", "000", "111"]);
  });

  test("a masked score has no probability, and a row without any key is uniform instead of NaN", async () => {
    const scores = input("scores", "float32", [2, 3]);
    const mask = input("mask", "bool", [2, 3]);
    const probabilities = ops.softmax(ops.add(scores, ops.maskBias(mask)));
    const given = [float32([2, 3], [1, 1, 9, 4, 5, 6]), { dtype: "bool" as const, shape: [2, 3], data: [1, 1, 0, 0, 0, 0] }];
    const { data } = await compute([scores, mask], probabilities, given);
    expect(data.slice(0, 3)).toEqual([0.5, 0.5, 0]);
    data.slice(3).forEach((value) => expect(value).toBeCloseTo(1 / 3, 6));
  });
});

describe("cross-entropy", () => {
  const [batch, length] = [symbol("batch"), symbol("length")];
  const logits = input("logits", "float32", [batch, length, 4]);
  const labels = input("labels", "int64", [batch, length]);
  const { sum, weight } = ops.crossEntropy(logits, labels);
  const forward = expandComposites(
    new Graph(
      [logits, labels],
      [
        { name: "sum", value: sum },
        { name: "weight", value: weight },
      ],
    ),
  );
  const [gradient] = backward([{ value: forward.outputs[0].value, gradient: ops.scalar(1) }], [logits]);
  const graph = new Graph([logits, labels], [...forward.outputs, { name: "gradient", value: gradient! }]);

  test("positions labelled −100 count nothing and get no gradient", async () => {
    const data = [1, 2, 3, 4, 900, -900, 0, 5];
    const [total, counted, dLogits] = await computeGraph(graph, [float32([1, 2, 4], data), int64([1, 2], [2, -100])]);
    const exponentials = [1, 2, 3, 4].map(Math.exp);
    const norm = exponentials.reduce((a, b) => a + b);
    expect(total.data[0]).toBeCloseTo(Math.log(norm) - 3, 5);
    expect(counted.data).toEqual([1]);
    exponentials.forEach((value, at) => expect(dLogits.data[at]).toBeCloseTo(value / norm - (at === 2 ? 1 : 0), 5));
    expect(dLogits.data.slice(4).every((value) => value === 0)).toBe(true);
  });

  test("with no label at all the sum and the weight are 0", async () => {
    const [total, counted, dLogits] = await computeGraph(graph, [float32([1, 1, 4], [1, 2, 3, 4]), int64([1, 1], [-100])]);
    expect([total.data[0], counted.data[0], ...dLogits.data].map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("logits of any size give a finite loss", async () => {
    const [total, , dLogits] = await computeGraph(graph, [float32([1, 1, 4], [3e4, -3e4, 0, 1e4]), int64([1, 1], [1])]);
    expect(total.data[0]).toBe(6e4);
    expect(dLogits.data).toEqual([1, -1, 0, 0]);
  });
});

test("no addition to a row that is named many times is lost", async () => {
  const [rows, width, count] = [3, 16, 20_000];
  const n = symbol("n");
  const [base, indices, updates] = [
    input("base", "float32", [rows, width]),
    input("indices", "int64", [n]),
    input("updates", "float32", [n, width]),
  ];
  const given = [
    float32([rows, width], Array<number>(rows * width).fill(0)),
    int64(
      [count],
      Array.from({ length: count }, (_, at) => (at % 7) % rows),
    ),
    float32([count, width], Array<number>(count * width).fill(1)),
  ];
  const expected = Array.from({ length: rows }, (_, row) => given[1].data.filter((index) => index === row).length);
  for (const value of [
    ops.scatterAdd(base, indices, updates),
    ops.scatterAddAlong(base, ops.expand(ops.reshape(indices, [n, 1]), [n, width]), updates, 0),
  ]) {
    const { data } = await compute([base, indices, updates], value, given);
    expect(data).toEqual(expected.flatMap((sum) => Array<number>(width).fill(sum)));
  }
});

test("one-hot rows", async () => {
  const indices = input("indices", "int64", [symbol("n")]);
  const { shape, data } = await compute([indices], ops.oneHot(indices, 3), [int64([3], [2, 0, 7])]);
  expect(shape).toEqual([3, 3]);
  expect(data).toEqual([0, 0, 1, 1, 0, 0, 0, 0, 0]);
});

test("the parts of a split, joined, are the whole", async () => {
  const n = symbol("n");
  const x = input("x", "float32", [n, 6]);
  const whole = ops.concat(ops.split(x, [1, 3, 2], -1), -1);
  const data = Array.from({ length: 12 }, (_, at) => at);
  expect((await compute([x], whole, [float32([2, 6], data)])).data).toEqual(data);
  expect(() => ops.split(x, [1, 3], -1)).toThrow("the sum of the sizes and the dimension that is split should be equal, got 4 and 6");
});

test("clamp cuts on both sides, and its gradient is 0 where it cuts", async () => {
  const x = input("x", "float32", [4]);
  const y = ops.clamp(x, -1, 2);
  const [gradient] = backward([{ value: y, gradient: ops.constant("float32", [4], [1, 1, 1, 1]) }], [x]);
  const given = float32([4], [-3, -0.5, 1, 5]);
  expect((await compute([x], y, [given])).data).toEqual([-1, -0.5, 1, 2]);
  expect((await compute([x], gradient!, [given])).data).toEqual([0, 1, 1, 0]);
});

test("broadcasting is numpy's", () => {
  const size = fc.constantFrom(1, 2, 3);
  const shape = fc.array(size, { maxLength: 4 });
  fc.assert(
    fc.property(shape, shape, (a, b) => {
      const rank = Math.max(a.length, b.length);
      const padded = [a, b].map((sizes) => [...Array<number>(rank - sizes.length).fill(1), ...sizes]);
      const fits = padded[0].every((dimension, axis) => dimension === padded[1][axis] || dimension === 1 || padded[1][axis] === 1);
      const add = () => ops.add(input("a", "float32", a), input("b", "float32", b)).shape;
      if (fits) expect(add()).toEqual(padded[0].map((dimension, axis) => Math.max(dimension, padded[1][axis])));
      else expect(add).toThrow("shapes should broadcast");
    }),
  );
});

describe("mistakes are found when the graph is built, and say what was expected", () => {
  const x = input("x", "float32", [symbol("batch"), 4]);
  test.each<[string, () => unknown, string]>([
    [
      "linear",
      () => ops.linear(x, input("w", "float32", [3, 5])),
      "the input's last dimension and the weight's should be equal, got 4 and 5",
    ],
    ["types", () => ops.add(x, input("i", "int64", [4])), "operands should have one type, got float32 and int64"],
    ["axis", () => ops.sum(x, [2]), "axis should lie in [-2, 2), got 2"],
    ["slice", () => ops.slice(x, 1, 2, 3), "a slice should lie in [0, 4], got [2, 5)"],
    ["reshape", () => ops.reshape(x, [symbol("batch"), 3]), "the new shape should have 4*batch elements, got [batch, 3]"],
    ["labels", () => ops.crossEntropy(x, input("labels", "int64", [3])), "dimension 0 of the logits and the labels should be equal"],
  ])("%s", (_, build, message) => {
    expect(build).toThrow(message);
  });
});
