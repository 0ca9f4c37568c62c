/** Rotary positions, held to the rotations that define them. */
import { expect, test } from "vitest";
import { computeGraph, float32, int64 } from "../../test/engine/compute-graph.js";
import { Graph, input } from "../engine/index.js";
import { randomGenerator } from "../engine/random.js";
import { rotated, rotaryTables } from "./rotary.js";

const [head, theta] = [6, 100];
const angle = (place: number, pair: number) => place * theta ** ((-2 * pair) / head);

/** The rows of x, one a place, turned. */
async function turn(x: readonly (readonly number[])[], places: readonly number[]): Promise<number[][]> {
  const [positions, values] = [input("positions", "int64", [places.length]), input("x", "float32", [1, 1, places.length, head])];
  const graph = new Graph([positions, values], [{ name: "y", value: rotated(values, rotaryTables(positions, { head, theta })) }]);
  const [{ data }] = await computeGraph(graph, [int64([places.length], places), float32([1, 1, places.length, head], x.flat())]);
  return places.map((_, row) => data.slice(row * head, (row + 1) * head));
}

const random = randomGenerator(3);
const vector = () => Array.from({ length: head }, () => random.normal());
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, at) => sum + value * b[at], 0);

test("element i and element i + head/2 are turned by an angle that grows with the place, the slower the later the pair", async () => {
  const places = [0, 1, 2, 7, 500];
  const x = places.map(vector);
  const y = await turn(x, places);
  places.forEach((place, row) => {
    for (const pair of [0, 1, 2]) {
      const [a, b, cosine, sine] = [x[row][pair], x[row][pair + 3], Math.cos(angle(place, pair)), Math.sin(angle(place, pair))];
      expect(y[row][pair]).toBeCloseTo(a * cosine - b * sine, 3);
      expect(y[row][pair + 3]).toBeCloseTo(b * cosine + a * sine, 3);
    }
  });
  expect(y[0]).toEqual(x[0].map(Math.fround));
});

test("the product of two depends on their distance alone", async () => {
  const [query, key] = [vector(), vector()];
  const [near, far, other] = await Promise.all([turn([query, key], [3, 5]), turn([query, key], [40, 42]), turn([query, key], [3, 6])]);
  expect(dot(far[0], far[1])).toBeCloseTo(dot(near[0], near[1]), 4);
  expect(Math.abs(dot(other[0], other[1]) - dot(near[0], near[1]))).toBeGreaterThan(1e-2);
});
