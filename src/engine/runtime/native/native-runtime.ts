/**
 * The runtime for Node: ONNX Runtime's C API. Tensors are views of ArrayBuffers, so nothing is copied between JavaScript and
 * the library; runs happen on another thread and the event loop goes on; all programs share one pool of threads and one arena.
 */
import { availableParallelism } from "node:os";
import { readOnnxHeader } from "../../graph/onnx-header.js";
import { writeOnnx } from "../../graph/onnx-writer.js";
import type { DataType } from "../../graph/value.js";
import { onnxDataTypes } from "../../ops/select.js";
import { bytesPerElement, type CompileOptions, type HostArray, type Memory, type OnnxModel, type Program, type RunOptions, type Runtime, type Tensor } from "../runtime.js";
import { type CApi, loadCApi, type Pointer } from "./c-api.js";

export interface NativeOptions {
  /** Threads that compute; the number of cores by default. Fixed by the first runtime of the process. */
  readonly threads?: number;
}

/** The environment of the process: the library allows one, whose thread pool all sessions share. */
let environment: { api: CApi; env: Pointer; memoryInfo: Pointer; threads: number } | undefined;

function openEnvironment(threads: number) {
  if (environment !== undefined) return environment;
  const api = loadCApi();
  const threading = api.make("CreateThreadingOptions");
  api.check(api.SetGlobalIntraOpNumThreads(threading, threads));
  // Waiting threads sleep: spinning is 4 % faster on an idle machine and half as fast on one that has anything else to do.
  api.check(api.SetGlobalSpinControl(threading, 0));
  api.check(api.SetGlobalDenormalAsZero(threading));
  const env = api.make("CreateEnvWithGlobalThreadPools", 4, "lectern", threading); // log nothing but what is fatal: errors come back as statuses
  const memoryInfo = api.make("CreateCpuMemoryInfo", 1, 0); // arena allocator, default memory
  api.check(api.CreateAndRegisterAllocator(env, memoryInfo, null));
  return (environment = { api, env, memoryInfo, threads });
}

/** Opens the native runtime. Throws NATIVE_LIBRARY_MISSING where the platform has no library. */
export function nativeRuntime(options: NativeOptions = {}): Runtime {
  const { api, env, memoryInfo, threads } = openEnvironment(options.threads ?? availableParallelism());
  return {
    name: `onnxruntime ${api.version} (native, ${threads} threads)`,
    threads,
    concurrentRuns: poolThreads(),
    allocate: (byteLength) => new HostMemory(byteLength),
    tensor: (memory, byteOffset, dtype, shape) => new NativeTensor(api, memoryInfo, (memory as HostMemory).buffer, byteOffset, dtype, shape),
    compile: async (graph, options = {}) => {
      const source = {
        bytes: writeOnnx(graph, { fused: options.fused }),
        inputs: graph.inputs.map((value) => value.name!),
        outputs: graph.outputs.map((output) => output.name),
      };
      try {
        return new NativeProgram(api, env, source, options);
      } catch (error) {
        throw new Error(`internal: ${options.name ?? "graph"} does not compile: ${(error as Error).message}`, { cause: error });
      }
    },
    load: async (model, options = {}) => {
      const { inputs, outputs } = readOnnxHeader(model.bytes);
      const names = { inputs: inputs.map(({ name }) => name), outputs: outputs.map(({ name }) => name) };
      return new NativeProgram(api, env, { ...model, ...names }, options);
    },
  };
}

/** Threads of libuv's pool, on which asynchronous calls are made: their number is fixed before the first line of a program runs. */
function poolThreads(): number {
  const asked = Number.parseInt(process.env.UV_THREADPOOL_SIZE ?? "", 10);
  return Number.isNaN(asked) ? 4 : Math.min(Math.max(asked, 1), 1024);
}

class HostMemory implements Memory {
  buffer: ArrayBuffer;
  constructor(readonly byteLength: number) {
    this.buffer = new ArrayBuffer(Math.max(byteLength, 8));
  }
  release(): void {
    this.buffer = new ArrayBuffer(0);
  }
}

class NativeTensor implements Tensor {
  readonly data: HostArray;
  readonly value: Pointer;

  constructor(
    private readonly api: CApi,
    memoryInfo: Pointer,
    buffer: ArrayBuffer,
    byteOffset: number,
    readonly dtype: DataType,
    readonly shape: readonly number[],
  ) {
    const count = shape.reduce((product, size) => product * size, 1);
    const byteLength = count * bytesPerElement[dtype];
    this.data = hostView(dtype, buffer, byteOffset, count);
    // A view of no elements has no address: the library is given the start of the buffer and a length of 0.
    const address = count === 0 ? new Uint8Array(buffer, 0, 8) : this.data;
    const dimensions = BigInt64Array.from(shape, BigInt);
    this.value = api.make("CreateTensorWithDataAsOrtValue", memoryInfo, address, byteLength, dimensions, shape.length, onnxDataTypes[dtype]);
  }

  release(): void {
    this.api.ReleaseValue(this.value);
  }
}

interface ProgramSource extends OnnxModel {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

class NativeProgram implements Program {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  private readonly session: Pointer;
  private readonly profiled: boolean;
  private readonly name: string;

  constructor(
    private readonly api: CApi,
    env: Pointer,
    source: ProgramSource,
    options: CompileOptions,
  ) {
    this.name = options.name ?? "graph";
    this.inputs = source.inputs;
    this.outputs = source.outputs;
    this.profiled = options.profilePrefix !== undefined;
    const sessionOptions = api.make("CreateSessionOptions");
    try {
      // A session of its own with one thread has no pool at all: it computes where it is called.
      api.check(options.singleThreaded ? api.SetIntraOpNumThreads(sessionOptions, 1) : api.DisablePerSessionThreads(sessionOptions));
      api.check(api.DisableMemPattern(sessionOptions)); // with ever-changing shapes its plans pile up
      api.check(api.SetSessionGraphOptimizationLevel(sessionOptions, 99)); // all
      api.check(api.AddSessionConfigEntry(sessionOptions, "session.use_env_allocators", "1"));
      // The global setting reaches only the pool's own threads. This one reaches the thread that makes the first session and those it
      // starts afterwards, which hand runs over and compute their share: without it results depend on which thread took which part.
      api.check(api.AddSessionConfigEntry(sessionOptions, "session.set_denormal_as_zero", "1"));
      // On the CPU the fused kernel is slower than the two it stands for: its loop over a row is not vectorised.
      api.check(api.AddSessionConfigEntry(sessionOptions, "optimization.disable_specified_optimizers", "SkipLayerNormFusion"));
      if (options.profilePrefix !== undefined) api.check(api.EnableProfiling(sessionOptions, options.profilePrefix));
      if (source.folder !== undefined) {
        api.check(api.AddSessionConfigEntry(sessionOptions, "session.model_external_initializers_file_folder_path", source.folder));
      }
      this.session = api.make("CreateSessionFromArray", env, source.bytes, source.bytes.length, sessionOptions);
    } finally {
      api.ReleaseSessionOptions(sessionOptions);
    }
  }

  async run(inputs: readonly Tensor[], outputs: readonly Tensor[], options: RunOptions = {}): Promise<void> {
    const { api } = this;
    if (inputs.length !== this.inputs.length || outputs.length !== this.outputs.length) {
      throw new Error(`internal: ${this.name} takes ${this.inputs.length} inputs and ${this.outputs.length} outputs, got ${inputs.length} and ${outputs.length}`);
    }
    options.signal?.throwIfAborted();
    const runOptions = options.signal === undefined ? null : api.make("CreateRunOptions");
    const terminate = () => api.check(api.RunOptionsSetTerminate(runOptions));
    options.signal?.addEventListener("abort", terminate, { once: true });
    try {
      // `inputs` and `outputs` stay referenced by this frame until the library is done with their memory.
      await new Promise<void>((resolve, reject) => {
        const results = pointersOf(outputs);
        const done = (error: Error | null, status: Pointer) => {
          try {
            if (error !== null) throw error;
            api.check(status);
            const moved = results.findIndex((pointer, index) => pointer !== (outputs[index] as NativeTensor).value);
            if (moved >= 0) throw new Error(`internal: output ${this.outputs[moved]} was not written to its tensor`);
            resolve();
          } catch (failure) {
            reject(options.signal?.aborted ? options.signal.reason : new Error(`${this.name}: ${(failure as Error).message}`, { cause: failure }));
          }
        };
        api.Run.async(this.session, runOptions, this.inputs, pointersOf(inputs), inputs.length, this.outputs, outputs.length, results, done);
      });
    } finally {
      options.signal?.removeEventListener("abort", terminate);
      if (runOptions !== null) api.ReleaseRunOptions(runOptions);
    }
  }

  finishProfile(): string | undefined {
    if (!this.profiled) return undefined;
    const allocator = this.api.make("GetAllocatorWithDefaultOptions");
    const path = this.api.make("SessionEndProfiling", this.session, allocator);
    return this.api.text(path);
  }

  release(): void {
    this.api.ReleaseSession(this.session);
  }
}

function pointersOf(tensors: readonly Tensor[]): Pointer[] {
  return tensors.map((tensor) => (tensor as NativeTensor).value);
}

function hostView(dtype: DataType, buffer: ArrayBuffer, byteOffset: number, count: number): HostArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, byteOffset, count);
    case "int64":
      return new BigInt64Array(buffer, byteOffset, count);
    case "int32":
      return new Int32Array(buffer, byteOffset, count);
    case "int8":
      return new Int8Array(buffer, byteOffset, count);
    case "float16":
      return new Uint16Array(buffer, byteOffset, count);
    case "bool":
    case "uint8":
      return new Uint8Array(buffer, byteOffset, count);
  }
}
