/**
 * The runtime for Node: ONNX Runtime's C API. Tensors are views of ArrayBuffers, so nothing is copied between JavaScript and
 * the library; runs happen on another thread and the event loop goes on; all programs share one pool of threads and one arena.
 */
import { availableParallelism } from "node:os";
import { readOnnxHeader } from "../../graph/onnx-header.js";
import { writeOnnx } from "../../graph/onnx-writer.js";
import type { Runtime } from "../runtime.js";
import { type CApi, loadCApi, type Pointer } from "./c-api.js";
import { NativeProgram } from "./native-program.js";
import { nativeQueue } from "./native-queue.js";
import { HostMemory, NativeTensor } from "./native-tensor.js";
import { turnOffTelemetry } from "./telemetry.js";

export interface NativeOptions {
  /** Threads that compute; the number of cores by default. Fixed by the first runtime of the process. */
  readonly threads?: number;
}

/** The environment of the process: the library allows one, whose thread pool all sessions share. */
let environment: { api: CApi; env: Pointer; memoryInfo: Pointer; threads: number } | undefined;

function openEnvironment(threads: number) {
  if (environment !== undefined) return environment;
  const api = loadCApi();
  turnOffTelemetry();
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
    queue: (index) => nativeQueue(index, api),
    load: async (model, options = {}) => {
      const { inputs, outputs } = readOnnxHeader(model.bytes);
      const names = { inputs: inputs.map(({ name }) => name), outputs: outputs.map(({ name }) => name) };
      return new NativeProgram(api, env, { ...model, ...names }, options);
    },
  };
}
