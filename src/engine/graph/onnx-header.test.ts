/** What an ONNX file says of itself is read as it was written; a damaged one ends in an error and in nothing else. */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { computeGraph, float32, testRuntime, toTensor } from "../../../test/engine/compute-graph.js";
import { add, constantView, exp, matmul } from "../ops/index.js";
import { symbol } from "./dimension.js";
import { Graph } from "./graph.js";
import { readOnnxHeader } from "./onnx-header.js";
import { writeOnnx } from "./onnx-writer.js";
import { input } from "./value.js";

const x = input("x", "float32", [symbol("batch"), 3]);
const weight = constantView("float32", [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6), "layer.weight");
const graph = new Graph([x], [{ name: "y", value: add(matmul(exp(x), weight), 1) }]);
const given = float32([2, 3], [0, 0, 0, 1, 1, 1]);

test("inputs, outputs, versions and metadata", () => {
  const bytes = writeOnnx(graph, { fused: false, portable: true, metadata: { label: "a, b" }, dimensionNames: { batch: "batch_size" } });
  expect(readOnnxHeader(bytes)).toEqual({
    inputs: [{ name: "x", dtype: "float32", shape: ["batch_size", 3] }],
    outputs: [{ name: "y", dtype: "float32", shape: ["batch_size", 2] }],
    opsets: { "": 17 },
    metadata: { label: "a, b" },
    externalFiles: [],
  });
  expect(Buffer.from(bytes).includes("layer.weight")).toBe(true);
});

test("a model in a file computes what the graph does", async () => {
  const program = await testRuntime().load({ bytes: writeOnnx(graph) });
  expect([program.inputs, program.outputs]).toEqual([["x"], ["y"]]);
  const y = toTensor(float32([2, 2], [0, 0, 0, 0]));
  await program.run([toTensor(given)], [y]);
  expect(Array.from(y.data as Float32Array)).toEqual((await computeGraph(graph, [given]))[0].data);
  program.release();
});

test("weights that lie elsewhere are named", () => {
  const taken: Uint8Array[] = [];
  const external = { file: "model.onnx_data", fromBytes: 16, add: (data: Uint8Array) => (taken.push(data), 4096) };
  const bytes = writeOnnx(graph, { external });
  expect(readOnnxHeader(bytes).externalFiles).toEqual(["model.onnx_data"]);
  expect(taken.map(({ length }) => length)).toEqual([24]);
});

const whole = writeOnnx(graph);

test("truncated anywhere it is an error, or still says what its outputs are", () => {
  for (let length = 0; length < whole.length; length++) {
    try {
      expect(readOnnxHeader(whole.slice(0, length)).outputs).toHaveLength(1);
    } catch (error) {
      expect((error as Error).message).not.toMatch(/undefined|not a function/);
    }
  }
  expect(() => readOnnxHeader(whole.slice(0, whole.length / 2))).toThrow();
  expect(() => readOnnxHeader(new Uint8Array())).toThrow("no graph");
});

test("damaged anywhere it ends, in time and memory, and so does loading it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), async (changes) => {
      const bytes = Uint8Array.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        readOnnxHeader(bytes);
        (await testRuntime().load({ bytes })).release();
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
    { numRuns: 150 },
  );
});

test("graphs within graphs are followed to a depth and no further", () => {
  let inner = new BinaryWriter()
    .uint32((2 << 3) | 2)
    .string("innermost")
    .finish();
  for (let depth = 0; depth < 10_000; depth++) {
    const attribute = new BinaryWriter()
      .uint32((6 << 3) | 2)
      .bytes(inner)
      .finish();
    const node = new BinaryWriter()
      .uint32((5 << 3) | 2)
      .bytes(attribute)
      .finish();
    inner = new BinaryWriter()
      .uint32((1 << 3) | 2)
      .bytes(node)
      .finish();
  }
  expect(() =>
    readOnnxHeader(
      new BinaryWriter()
        .uint32((7 << 3) | 2)
        .bytes(inner)
        .finish(),
    ),
  ).toThrow("16 deep");
});
