/**
 * What the engine asks of a runtime: memory, tensors that are views of it, graphs compiled to programs, and runs that read
 * and write those tensors in place. Implementations are siblings of this file and pass one contract suite.
 */
import type { Graph } from "../graph/graph.js";
import type { DataType } from "../graph/value.js";

export type HostArray = Float32Array | BigInt64Array | Int32Array | Uint8Array | Int8Array | Uint16Array;

/** A piece of memory that tensors are laid in. */
export interface Memory {
  readonly byteLength: number;
  release(): void;
}

/** A tensor of known shape over a stretch of memory; several may share one stretch. */
export interface Tensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  /** The elements, as the host sees them between runs; a view, not a copy, where the memory is the host's. */
  readonly data: HostArray;
  release(): void;
}

export interface CompileOptions {
  /** Names the program in errors and profiles. */
  readonly name?: string;
  /** Use the runtime's own operators where they are faster (default); off, only those of the ONNX standard. */
  readonly fused?: boolean;
  /** Compute each run on one thread: for short runs of which several go on at once, where handing over to other threads costs more than it gains. */
  readonly singleThreaded?: boolean;
  /** Write a profile of every run to files with this prefix. */
  readonly profilePrefix?: string;
}

/** A model that was written as an ONNX file. */
export interface OnnxModel {
  /** The file's content: a ModelProto. */
  readonly bytes: Uint8Array;
  /** Where files of external data lie, if it has any. */
  readonly folder?: string;
}

export type LoadOptions = Omit<CompileOptions, "fused">;

export interface RunOptions {
  /** Ends the run early; the promise rejects and the outputs hold no meaning. */
  readonly signal?: AbortSignal;
}

/** A compiled graph. */
export interface Program {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * Computes `outputs` from `inputs`, both in the graph's order. An output may share memory with an input where the
   * graph reads each of its elements before writing it (elementwise updates, sums into an accumulator).
   */
  run(inputs: readonly Tensor[], outputs: readonly Tensor[], options?: RunOptions): Promise<void>;
  /** Ends profiling and returns the file's path; undefined where none was asked for. */
  finishProfile(): string | undefined;
  release(): void;
}

/** One thing to do in a queue, with tensors where they lie. */
export type Command = RunCommand | HostCommand<Tensor>;

export interface RunCommand {
  readonly do: "run";
  readonly program: Program;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** What needs no program. `T` is how a tensor is told of. */
export type HostCommand<T> =
  /** Every element ← value. */
  | { readonly do: "fill"; readonly tensor: T; readonly value: number }
  /** The elements ← data. */
  | { readonly do: "write"; readonly tensor: T; readonly data: HostArray }
  /** Row i of width elements, which begins at element to + i·width, ← the elements of the same tensor from starts[i] on. */
  | { readonly do: "copyRows"; readonly tensor: T; readonly to: number; readonly width: number; readonly starts: Uint32Array }
  /** A copy of the elements, float32, is one of the results. */
  | { readonly do: "read"; readonly tensor: T };

/** Does what it is told, in order. */
export interface Queue {
  /**
   * Does `commands` behind all those submitted before; returns what its "read" commands found. Programs and tensors must stay until the
   * promise has settled. Rows may be copied while the program that stands before them runs. When a command fails or the signal comes the
   * promise rejects and the rest of the list is left out; later lists are done all the same.
   */
  submit(commands: readonly Command[], options?: RunOptions): Promise<Float32Array[]>;
}

export interface Runtime {
  readonly name: string;
  /** Threads that compute. */
  readonly threads: number;
  allocate(byteLength: number): Memory;
  tensor(memory: Memory, byteOffset: number, dtype: DataType, shape: readonly number[]): Tensor;
  compile(graph: Graph, options?: CompileOptions): Promise<Program>;
  /**
   * The queue of this number, from 0: it has a thread of its own, which is started when the queue is first asked for and computes programs
   * compiled with `singleThreaded`, without a word to the event loop between one command and the next. With one queue for each of `threads`
   * all are kept busy, each with a computation for itself.
   */
  queue(index: number): Promise<Queue>;
  /** A program of a model from elsewhere. Throws an Error with the runtime's reason where it cannot run it. */
  load(model: OnnxModel, options?: LoadOptions): Promise<Program>;
}

/** Most queues that work is spread over: the thread of each has a JavaScript engine of its own, some 10 MB. */
export const mostQueues = 8;

/** The first `count` queues: one for each thread that computes, up to `mostQueues`, where nothing else is said. */
export function queuesOf(runtime: Runtime, count = Math.min(runtime.threads, mostQueues)): Promise<Queue[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => runtime.queue(index)));
}

export const bytesPerElement: Readonly<Record<DataType, number>> = { float32: 4, int64: 8, int32: 4, bool: 1, uint8: 1, int8: 1, float16: 2 };

/** A tensor with memory of its own. */
export function allocateTensor(runtime: Runtime, dtype: DataType, shape: readonly number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return runtime.tensor(runtime.allocate(count * bytesPerElement[dtype]), 0, dtype, shape);
}
