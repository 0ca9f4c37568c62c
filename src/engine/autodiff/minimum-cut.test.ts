import fc from "fast-check";
import { expect, test } from "vitest";
import { minimumCut } from "./minimum-cut.js";

type Edge = readonly [from: number, to: number, capacity: number];

const capacityOf = (edges: readonly Edge[], side: (vertex: number) => boolean) =>
  edges.reduce((sum, [from, to, capacity]) => sum + (side(from) && !side(to) ? capacity : 0), 0);

/** The least capacity of all cuts, by trying every set of vertices. */
function leastCut(vertices: number, edges: readonly Edge[]): number {
  let least = Infinity;
  for (let set = 0; set < 1 << vertices; set++) {
    const side = (vertex: number) => ((set >> vertex) & 1) === 1;
    if (side(0) && !side(1)) least = Math.min(least, capacityOf(edges, side));
  }
  return least;
}

test("no cut is smaller", () => {
  const vertex = fc.nat(6);
  const edges = fc.array(fc.tuple(vertex, vertex, fc.nat(9)), { maxLength: 20 });
  fc.assert(
    fc.property(edges, (list) => {
      const cut = minimumCut(7, list, 0, 1);
      expect(cut.has(0) && !cut.has(1)).toBe(true);
      expect(capacityOf(list, (at) => cut.has(at))).toBe(leastCut(7, list));
    }),
  );
});

test("edges without limit are not cut", () => {
  const edges: Edge[] = [
    [0, 2, Infinity],
    [2, 3, 4],
    [3, 1, Infinity],
    [2, 1, 1],
  ];
  expect([...minimumCut(4, edges, 0, 1)].sort()).toEqual([0, 2]);
});

test("a way without limit is our mistake", () => {
  const edges: Edge[] = [
    [0, 2, Infinity],
    [2, 1, Infinity],
  ];
  expect(() => minimumCut(3, edges, 0, 1)).toThrow("internal:");
});

test("without any way nothing is cut", () => {
  expect([...minimumCut(3, [[0, 2, 5]], 0, 1)].sort()).toEqual([0, 2]);
});
