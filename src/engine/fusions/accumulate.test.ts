/** Gradients that add up in place: which sums are fused, and that the numbers are the same. */
import { describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input, type Value } from "../graph/value.js";
import { add, matmul, mul, scatterAdd, zeros } from "../ops/index.js";
import { allocateTensor } from "../runtime/runtime.js";
import { fuseAccumulation } from "./accumulate.js";

const n = symbol("n");
const [total, a, b] = [input("total", "float32", [2, 3]), input("a", "float32", [n, 2]), input("b", "float32", [n, 3])];
const [ids, updates] = [input("ids", "int64", [n]), input("updates", "float32", [n, 3])];
const product = () => matmul(a, b, { transposeA: true, scale: 0.5 });
const graphOf = (inputs: Value[], ...values: Value[]) =>
  new Graph(
    inputs,
    values.map((value, index) => ({ name: `y${index}`, value })),
  );
const opsOf = (graph: Graph) => graph.nodes.map(({ op }) => op.name);

/** Runs with the first output bound to the total's own memory. */
async function runInPlace(graph: Graph, given: (Float32Array | BigInt64Array)[], shapes: number[][]): Promise<number[]> {
  const tensors = given.map((data, index) => {
    const tensor = allocateTensor(testRuntime(), data instanceof Float32Array ? "float32" : "int64", shapes[index]);
    (tensor.data as Float32Array).set(data as Float32Array);
    return tensor;
  });
  const program = await testRuntime().compile(graph);
  for (let run = 0; run < 3; run++) await program.run(tensors, [tensors[0]]);
  return [...(tensors[0].data as Float32Array)];
}

describe("a matrix product added to a total", () => {
  test("is one op, whichever way round the sum is", () => {
    expect(opsOf(fuseAccumulation(graphOf([total, a, b], add(total, product()))))).toEqual(["AccumulatingMatMul"]);
    expect(opsOf(fuseAccumulation(graphOf([total, a, b], add(product(), total))))).toEqual(["AccumulatingMatMul"]);
  });

  test("adds up in the total's own memory", async () => {
    const given = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 2, 3, 4), Float32Array.of(1, 0, 1, 0, 1, 1)];
    const shapes = [
      [2, 3],
      [2, 2],
      [2, 3],
    ];
    const plain = graphOf([total, a, b], add(total, product()));
    const sums = await runInPlace(fuseAccumulation(plain), given, shapes);
    expect(sums).toEqual([2.5, 6.5, 9, 7, 11, 15]); // three times ½·AᵀB = [[½, 1½, 2], [1, 2, 3]]
    expect(await runInPlace(plain, given, shapes)).toEqual(sums);
  });

  test("is left alone where the product has other uses, or is broadcast", () => {
    const shared = product();
    expect(opsOf(fuseAccumulation(graphOf([total, a, b], add(total, shared), mul(shared, 2))))).toContain("MatMul");
    const row = input("total", "float32", [3]);
    expect(opsOf(fuseAccumulation(graphOf([row, a, b], add(row, product()))))).toContain("MatMul");
    const batched = input("total", "float32", [4, 2, 3]);
    const [wideA, wideB] = [input("a", "float32", [4, 2, 5]), input("b", "float32", [4, 5, 3])];
    expect(opsOf(fuseAccumulation(graphOf([batched, wideA, wideB], add(batched, matmul(wideA, wideB)))))).toEqual(["MatMul", "Add"]);
  });
});

describe("a scatter added to a total", () => {
  test("scatters into it", async () => {
    const table = input("total", "float32", [4, 3]);
    const graph = graphOf([table, ids, updates], add(table, scatterAdd(zeros([4, 3]), ids, updates)));
    const fused = fuseAccumulation(graph);
    expect(opsOf(fused)).toEqual(["ScatterAdd"]);
    expect(fused.nodes[0].inputs[0]).toBe(table);
    const given = [new Float32Array(12).fill(1), BigInt64Array.of(2n, 0n, 2n), Float32Array.of(1, 2, 3, 4, 5, 6, 10, 20, 30)];
    const sums = await runInPlace(fused, given, [[4, 3], [3], [3, 3]]);
    expect(sums).toEqual([13, 16, 19, 1, 1, 1, 34, 67, 100, 1, 1, 1]);
  });

  test("onto something other than zeros is left alone", () => {
    const [table, base] = [input("total", "float32", [4, 3]), input("base", "float32", [4, 3])];
    expect(opsOf(fuseAccumulation(graphOf([table, base, ids, updates], add(table, scatterAdd(base, ids, updates)))))).toEqual([
      "ScatterAdd",
      "Add",
    ]);
  });
});

test("a sum of two inputs stays a sum", () => {
  const other = input("other", "float32", [2, 3]);
  expect(opsOf(fuseAccumulation(graphOf([total, other], add(total, other))))).toEqual(["Add"]);
});
