/** What the writer emits computes what the graph says, for every size; and other readers of ONNX accept it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileGraph, computeGraph, float32 } from "../../../test/engine/compute-graph.js";
import "../index.js"; // every op, those of fusions too
import { allOps } from "../ops/define-op.js";
import { add, dimensionValue, exp, iota, pad, reshape } from "../ops/index.js";
import { attributesOf, sampleRandom } from "../ops/sample.js";
import {
  addDimensions,
  ceilDivide,
  type Dimension,
  evaluateShape,
  floorDivide,
  multiplyDimensions,
  subtractDimensions,
  symbol,
} from "./dimension.js";
import { Graph } from "./graph.js";
import { writeOnnx } from "./onnx-writer.js";
import { input } from "./value.js";

const names = ["a", "b", "c"];
const anchors = names.map((name) => input(name, "float32", [symbol(name)]));
const zeros = (size: number) => float32([size], Array<number>(size).fill(0));

/** Consecutive factors multiplied into the dimensions of a shape, cut where `cuts` says. */
function grouped(factors: readonly Dimension[], cuts: readonly boolean[]): Dimension[] {
  const groups: Dimension[][] = [[]];
  factors.forEach((factor, index) => {
    if (index > 0 && cuts[index]) groups.push([]);
    groups.at(-1)!.push(factor);
  });
  return groups.map((group) => multiplyDimensions(...group));
}

test("a reshape to any grouping of the same factors keeps the elements, for sizes of 0 and 1 too", async () => {
  const factor: fc.Arbitrary<Dimension> = fc.oneof(fc.constantFrom(...names).map(symbol), fc.integer({ min: 1, max: 3 }));
  const cuts = fc.array(fc.boolean(), { minLength: 5, maxLength: 5 });
  const sizes = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(factor, { minLength: 1, maxLength: 5 }),
      cuts,
      cuts,
      fc.array(sizes, { minLength: 1, maxLength: 4 }),
      async (factors, from, to, runs) => {
        const x = input("x", "float32", grouped(factors, from));
        const y = reshape(add(x, 0), grouped(factors, to));
        const compute = await compileGraph(new Graph([...anchors, x], [{ name: "y", value: y }]));
        for (const run of runs) {
          const bindings = Object.fromEntries(names.map((name, at) => [name, run[at]]));
          const shape = evaluateShape(x.shape, bindings);
          const data = Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, at) => at);
          const [result] = await compute([...run.map(zeros), float32(shape, data)]);
          expect(result).toEqual(float32(evaluateShape(y.shape, bindings), data));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("sizes are computed in the model as they are here", async () => {
  const [a, b] = [symbol("a"), symbol("b")];
  const formulas = [
    addDimensions(multiplyDimensions(a, a, 3), multiplyDimensions(b, -1), 7),
    multiplyDimensions(ceilDivide(addDimensions(a, b), 4), 4),
    floorDivide(multiplyDimensions(a, b), 3),
    subtractDimensions(multiplyDimensions(4, ceilDivide(a, 4)), a),
  ];
  const graph = new Graph(
    anchors,
    formulas.map((formula, at) => ({ name: `size${at}`, value: dimensionValue(formula) })),
  );
  const compute = await compileGraph(graph);
  for (const [first, second] of [
    [1, 2],
    [5, 3],
    [8, 0],
  ]) {
    const sizes = await compute([first, second, 1].map(zeros));
    expect(sizes.map(({ data }) => data[0])).toEqual(evaluateShape(formulas, { a: first, b: second }));
  }
});

test("a length is padded to whole windows at run time", async () => {
  const a = symbol("a");
  const missing = subtractDimensions(multiplyDimensions(4, ceilDivide(a, 4)), a);
  const compute = await compileGraph(
    new Graph(anchors, [{ name: "y", value: reshape(pad(anchors[0], 0, 0, missing, -1), [ceilDivide(a, 4), 4]) }]),
  );
  const result = async (size: number) => (await compute([size, 1, 1].map(zeros)))[0];
  expect(await result(5)).toEqual(float32([2, 4], [0, 0, 0, 0, 0, -1, -1, -1]));
  expect((await result(8)).shape).toEqual([2, 4]);
});

test("an input, a constant or one value under two names may be an output", async () => {
  const x = input("x", "float32", [2]);
  const y = exp(x);
  const graph = new Graph(
    [x],
    [
      { name: "same", value: x },
      { name: "range", value: iota(3) },
      { name: "y", value: y },
      { name: "again", value: y },
    ],
  );
  const results = await computeGraph(graph, [float32([2], [0, 0])]);
  expect(results.map(({ data }) => data)).toEqual([
    [0, 0],
    [0, 1, 2],
    [1, 1],
    [1, 1],
  ]);
});

test("without fusion no operator outside the standard is written", () => {
  for (const op of allOps()) {
    for (const sample of op.definition.sample(sampleRandom(1))) {
      const inputs = sample.inputs.map(({ dtype, shape }, at) => input(`x${at}`, dtype, shape));
      const outputs = op.apply(inputs, attributesOf(sample, inputs)).map((value, at) => ({ name: `y${at}`, value }));
      expect(Buffer.from(writeOnnx(new Graph(inputs, outputs), { fused: false })).includes("com.microsoft"), op.name).toBe(false);
    }
  }
});

const python = process.env.LECTERN_PEER_PYTHON;
describe("other readers", () => {
  test.skipIf(python === undefined)("the onnx package's checker accepts every op's model (needs LECTERN_PEER_PYTHON with onnx)", () => {
    const folder = mkdtempSync(join(tmpdir(), "lectern-onnx-"));
    try {
      for (const op of allOps()) {
        op.definition.sample(sampleRandom(1)).forEach((sample, index) => {
          const inputs = sample.inputs.map(({ dtype, shape }, at) =>
            input(
              `x${at}`,
              dtype,
              shape.map((size) => (size > 1 ? symbol(`n${size}`) : size)),
            ),
          );
          const outputs = op.apply(inputs, attributesOf(sample, inputs)).map((value, at) => ({ name: `y${at}`, value }));
          for (const fused of [true, false]) {
            writeFileSync(
              join(folder, `${op.name}-${index}-${fused ? "fused" : "standard"}.onnx`),
              writeOnnx(new Graph(inputs, outputs), { fused }),
            );
          }
        });
      }
      const program = `
import sys, pathlib, onnx
for file in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        onnx.checker.check_model(str(file), full_check=True)
    except Exception as error:
        sys.exit(f"{file.name}: {error}")
print("accepted")
`;
      expect(execFileSync(python!, ["-c", program, folder], { encoding: "utf8" })).toBe("accepted\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
