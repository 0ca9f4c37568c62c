/** The rows of DeBERTa's table of distances, held to transformers'; the skewed products, held to the sums that define them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { computeGraph, float32, type Numbers } from "../../test/engine/compute-graph.js";
import { traceBlock } from "../engine/block/block.js";
import { Graph, symbol } from "../engine/index.js";
import { randomGenerator } from "../engine/random.js";
import {
  disentangledAttentionParameters,
  disentangledSelfAttention,
  type RelativePositions,
  relativeParameters,
} from "./disentangled-attention.js";
import { distanceRow } from "./distance-buckets.js";

interface Golden {
  readonly buckets: number;
  readonly range: number;
  /** Of distances 0, 1, … */
  readonly bucket_of: readonly number[];
}
const goldens = JSON.parse(readFileSync(join(import.meta.dirname, "../../test/distance-goldens.json"), "utf8")) as Golden[];

describe("the row of a distance", () => {
  test.each(goldens)("is transformers' for $buckets buckets up to $range", ({ buckets, range, bucket_of }) => {
    const row = (distance: number) => distanceRow(distance, { span: buckets, buckets, range });
    const inTable = (place: number) => Math.min(Math.max(place, 0), 2 * buckets - 1);
    expect(bucket_of.map((_, distance) => row(distance))).toEqual(bucket_of.map((bucket) => inTable(buckets + bucket)));
    expect(bucket_of.map((_, distance) => row(-distance))).toEqual(bucket_of.map((bucket) => inTable(buckets - bucket)));
  });

  test("is its own where there are no buckets, the last beyond the table", () => {
    const row = (distance: number) => distanceRow(distance, { span: 3, buckets: undefined, range: 3 });
    expect([-9, -3, -2, 0, 2, 3, 9].map(row)).toEqual([0, 0, 1, 3, 5, 5, 5]);
  });
});

const [batch, seq] = [symbol("batch"), symbol("seq")];
const [width, heads, head] = [6, 2, 3];

/** The attention of a block with these distances, and its parameters filled from a seed. */
function layer(relative: RelativePositions) {
  const parameters = { ...disentangledAttentionParameters("a", width, 0.5, relative), ...relativeParameters(width, 0.5, relative) };
  const terms = 1 + Number(relative.contentToPosition) + Number(relative.positionToContent);
  const trace = traceBlock(
    {
      kind: "test",
      inputs: { x: { dtype: "float32", shape: [batch, seq, width] }, real: { dtype: "float32", shape: [batch, seq] } },
      parameters,
      build: (scope) => ({
        y: disentangledSelfAttention(scope, "a", scope.inputs.x, scope.inputs.real, { heads, dropout: 0, terms, relative }),
      }),
    },
    { training: false },
  );
  const values = Object.fromEntries(
    Object.entries(parameters).map(([name, { shape }], stream) => {
      const random = randomGenerator(5, stream);
      return [
        name,
        float32(
          [...shape],
          Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
        ),
      ];
    }),
  );
  const graph = new Graph([...trace.inputs.values(), ...trace.parameters.values()], [{ name: "y", value: trace.outputs.get("y")! }]);
  return {
    values,
    run: async (x: Numbers, real: Numbers) =>
      (await computeGraph(graph, [x, real, ...[...trace.parameters.keys()].map((name) => values[name])]))[0],
  };
}

/** The same by the definition, element by element, in float64; x of one sample. */
function byDefinition(
  values: Record<string, Numbers>,
  relative: RelativePositions,
  x: readonly number[][],
  real: readonly number[],
): number[][] {
  const dense = (name: string, row: readonly number[]) =>
    Array.from({ length: width }, (_, out) =>
      row.reduce((sum, value, at) => sum + value * values[`a.${name}.weight`].data[out * width + at], values[`a.${name}.bias`].data[out]),
    );
  const table = Array.from({ length: 2 * relative.span }, (_, row) => [
    ...values["relative.embeddings.weight"].data.slice(row * width, (row + 1) * width),
  ]);
  const rows = (name: string, of: readonly (readonly number[])[]) => of.map((row) => dense(name, row));
  const [q, k, v] = ["query", "key", "value"].map((name) => rows(name, x));
  const tableKeys = relative.contentToPosition ? rows(relative.shared ? "key" : "position_key", table) : [];
  const tableQueries = relative.positionToContent ? rows(relative.shared ? "query" : "position_query", table) : [];
  const dot = (a: readonly number[], b: readonly number[], h: number) =>
    a.slice(h * head, (h + 1) * head).reduce((sum, value, at) => sum + value * b[h * head + at], 0);
  const terms = 1 + Number(relative.contentToPosition) + Number(relative.positionToContent);
  const context = x.map((_, i) =>
    Array.from({ length: width }, (_, column) => {
      const h = Math.floor(column / head);
      const weights = x.map((_, j) => {
        if (real[i] === 0) return 1;
        if (real[j] === 0) return 0;
        const row = distanceRow(i - j, relative);
        const score =
          dot(q[i], k[j], h) +
          (relative.contentToPosition ? dot(q[i], tableKeys[row], h) : 0) +
          (relative.positionToContent ? dot(k[j], tableQueries[row], h) : 0);
        return Math.exp(score / Math.sqrt(head * terms));
      });
      const total = weights.reduce((a, b) => a + b, 0);
      return weights.reduce((sum, weight, j) => sum + (weight / total) * v[j][column], 0);
    }),
  );
  return rows("output", context);
}

const positions: RelativePositions = {
  span: 4,
  buckets: 4,
  range: 8,
  longest: 12,
  contentToPosition: true,
  positionToContent: true,
  shared: true,
  dropout: 0,
  epsilon: undefined,
};

describe.each([
  ["both terms through the content's layers", positions],
  ["both terms through layers of their own, without buckets", { ...positions, shared: false, buckets: undefined, range: 4 }],
  ["content to position alone", { ...positions, positionToContent: false }],
  ["position to content alone", { ...positions, contentToPosition: false, shared: false }],
] as const)("attention with %s", (_, relative) => {
  test.each([1, 2, 3, 7, 12])("of %d places is what defines it, with the last of three or more being padding", async (places) => {
    const { values, run } = layer(relative);
    const random = randomGenerator(6, places);
    const samples = [0, 1].map(() => Array.from({ length: places }, () => Array.from({ length: width }, () => random.normal())));
    const real = Array.from({ length: places }, (_, at) => (places > 2 && at === places - 1 ? 0 : 1));
    const { data } = await run(float32([2, places, width], samples.flat(2)), float32([2, places], [...real, ...real]));
    const expected = samples.flatMap((x) => byDefinition(values, relative, x, real)).flat();
    data.forEach((value, at) => expect(Math.abs(value - expected[at])).toBeLessThan(1e-4));
  });
});
