/**
 * Gradients of micro-batches that are computed at once: each lane but the first, which adds to the store's own, adds to a copy of the
 * same layout. When all are done the copies are added to the store's gradients, always in the same order, and cleared.
 */
import { symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input } from "../graph/value.js";
import { add } from "../ops/arithmetic.js";
import { bytesPerElement, type Memory, type RunCommand, type Runtime, type Tensor } from "../runtime/runtime.js";
import { piecesOf, shortRuns } from "../runtime/short-runs.js";
import type { ParameterStore } from "./parameter-store.js";

export interface GradientCopies {
  /** Where `lane` adds the gradient of the trained parameter `name`. */
  gradient(name: string, lane: number): Tensor;
  /** store += copies; copies ← 0. */
  addUp(): Promise<void>;
  release(): void;
}

/** Gradients for `lanes` micro-batches at once; of one lane, the store's alone. */
export async function createGradientCopies(runtime: Runtime, store: ParameterStore, lanes: number): Promise<GradientCopies> {
  const copies = Array.from({ length: lanes - 1 }, () => copyOf(runtime, store));
  if (copies.length === 0) {
    return { gradient: (name) => store.parameters.get(name)!.gradient!, addUp: () => Promise.resolve(), release: () => undefined };
  }
  const program = await runtime.compile(sumGraph(copies.length), { name: "sum of gradients", singleThreaded: true });
  const memories = [store.gradients!, ...copies.map(({ memory }) => memory)];
  const pieces = piecesOf({ start: 0, end: store.trainedLength }).map(({ start, length }): RunCommand => {
    const inputs = memories.map((memory) => runtime.tensor(memory, start * bytesPerElement.float32, "float32", [length]));
    return { do: "run", program, inputs, outputs: [inputs[0]] };
  });
  return {
    gradient: (name, lane) => (lane === 0 ? store.parameters.get(name)!.gradient! : copies[lane - 1].gradients.get(name)!),
    addUp: async () => {
      await shortRuns(runtime, pieces);
      for (const { whole } of copies) (whole.data as Float32Array).fill(0);
    },
    release: () => {
      program.release();
      for (const { inputs } of pieces) for (const tensor of inputs) tensor.release();
      for (const { memory, whole, gradients } of copies) {
        for (const tensor of [whole, ...gradients.values()]) tensor.release();
        memory.release();
      }
    },
  };
}

function copyOf(runtime: Runtime, store: ParameterStore): { memory: Memory; whole: Tensor; gradients: ReadonlyMap<string, Tensor> } {
  const memory = runtime.allocate(store.trainedLength * bytesPerElement.float32);
  const gradients = [...store.parameters.values()]
    .filter(({ trainable }) => trainable)
    .map(({ name, offset, declaration }) => [name, runtime.tensor(memory, offset * bytesPerElement.float32, "float32", declaration.shape)] as const);
  return { memory, whole: runtime.tensor(memory, 0, "float32", [store.trainedLength]), gradients: new Map(gradients) };
}

/** total' = total + copy 1 + copy 2 + … */
function sumGraph(copies: number): Graph {
  const [total, ...others] = ["total", ...Array.from({ length: copies }, (_, index) => `copy ${index + 1}`)].map((name) =>
    input(name, "float32", [symbol("length")]),
  );
  return new Graph([total, ...others], [{ name: "total'", value: others.reduce((sum, copy) => add(sum, copy), total) }]);
}
