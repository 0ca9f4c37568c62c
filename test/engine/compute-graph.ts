/** Computes graphs on small tensors of plain numbers, for tests: compile once, run as often as wanted. */
import { evaluateShape, type Shape, SymbolicDimension } from "../../src/engine/graph/dimension.js";
import type { Graph } from "../../src/engine/graph/graph.js";
import type { DataType } from "../../src/engine/graph/value.js";
import { nativeRuntime } from "../../src/engine/runtime/native/native-runtime.js";
import { allocateTensor, type CompileOptions, type Runtime, type Tensor } from "../../src/engine/runtime/runtime.js";

/** A tensor as plain numbers. */
export interface Numbers {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

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
export async function compileGraph(graph: Graph, options?: CompileOptions): Promise<(inputs: readonly Numbers[]) => Promise<Numbers[]>> {
  const program = await testRuntime().compile(graph, options);
  return async (inputs) => {
    const bindings = bindSymbols(
      graph.inputs.map((value) => value.shape),
      inputs.map((tensor) => tensor.shape),
    );
    const given = inputs.map(toTensor);
    const results = graph.outputs.map(({ value }) => allocateTensor(testRuntime(), value.dtype, evaluateShape(value.shape, bindings)));
    await program.run(given, results);
    const values = results.map(({ dtype, shape, data }) => ({
      dtype,
      shape,
      data: Array.from(data as ArrayLike<number | bigint>, Number),
    }));
    for (const tensor of [...given, ...results]) tensor.release();
    return values;
  };
}

/** The outputs of a graph for these inputs. */
export async function computeGraph(graph: Graph, inputs: readonly Numbers[], options?: CompileOptions): Promise<Numbers[]> {
  return (await compileGraph(graph, options))(inputs);
}

export function toTensor({ dtype, shape, data }: Numbers): Tensor {
  const tensor = allocateTensor(testRuntime(), dtype, shape);
  if (tensor.data instanceof BigInt64Array) tensor.data.set(data.map(BigInt));
  else tensor.data.set(data);
  return tensor;
}

function bindSymbols(shapes: readonly Shape[], sizes: readonly (readonly number[])[]): Record<string, number> {
  const bindings: Record<string, number> = {};
  shapes.forEach((shape, index) =>
    shape.forEach((dimension, axis) => {
      if (dimension instanceof SymbolicDimension) bindings[dimension.key] = sizes[index][axis];
    }),
  );
  return bindings;
}
