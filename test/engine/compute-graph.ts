/** Computes graphs on small tensors of plain numbers, for tests, on one runtime that they share. */
import { compileGraph as compileOn, type Numbers, toTensor as tensorOn } from "../../src/engine/check-op.js";
import type { Graph } from "../../src/engine/graph/graph.js";
import { nativeRuntime } from "../../src/engine/runtime/native/native-runtime.js";
import type { CompileOptions, Runtime, Tensor } from "../../src/engine/runtime/runtime.js";

export type { Numbers };

let runtime: Runtime | undefined;

/** The runtime that tests share. */
export function testRuntime(): Runtime {
  return (runtime ??= nativeRuntime({ threads: 2 }));
}

export function float32(shape: readonly number[], data: Iterable<number>): Numbers {
  return { dtype: "float32", shape, data: [...data] };
}

export function int64(shape: readonly number[], data: Iterable<number>): Numbers {
  return { dtype: "int64", shape, data: [...data] };
}

/** A compiled graph as a function; outputs are written into tensors of the inferred shapes. */
export function compileGraph(graph: Graph, options?: CompileOptions): Promise<(inputs: readonly Numbers[]) => Promise<Numbers[]>> {
  return compileOn(testRuntime(), graph, options);
}

/** The outputs of a graph for these inputs. */
export async function computeGraph(graph: Graph, inputs: readonly Numbers[], options?: CompileOptions): Promise<Numbers[]> {
  return (await compileGraph(graph, options))(inputs);
}

export function toTensor(numbers: Numbers): Tensor {
  return tensorOn(testRuntime(), numbers);
}
