/** A session of the library, and its runs. */
import type { CompileOptions, OnnxModel, Program, RunOptions, Tensor } from "../runtime.js";
import { type CApi, type NameArray, nameArray, type Pointer } from "./c-api.js";
import type { NativeTensor } from "./native-tensor.js";

export interface ProgramSource extends OnnxModel {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export class NativeProgram implements Program {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly session: Pointer;
  readonly inputNames: NameArray;
  readonly outputNames: NameArray;
  private readonly profiled: boolean;

  constructor(
    private readonly api: CApi,
    env: Pointer,
    source: ProgramSource,
    options: CompileOptions,
  ) {
    this.name = options.name ?? "graph";
    this.inputs = source.inputs;
    this.outputs = source.outputs;
    this.inputNames = nameArray(source.inputs);
    this.outputNames = nameArray(source.outputs);
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
    const call = this.callWith(inputs, outputs);
    // `inputs` and `outputs` stay referenced by this frame until the library is done with their memory.
    await withRunOptions(
      api,
      options,
      (runOptions) =>
        new Promise<void>((resolve, reject) => {
          const { words, finish } = libraryCall(api, call, runOptions);
          const done = (error: Error | null, status: Pointer) => {
            try {
              if (error !== null) throw error;
              finish(status);
              resolve();
            } catch (failure) {
              reject(failure);
            }
          };
          api.Run.async(...words, done);
        }),
    );
  }

  /** What a call of the library needs; a copy of it can be handed to another thread. */
  callWith(inputs: readonly Tensor[], outputs: readonly Tensor[]): ProgramCall {
    if (inputs.length !== this.inputs.length || outputs.length !== this.outputs.length) {
      throw new Error(`internal: ${this.name} takes ${this.inputs.length} inputs and ${this.outputs.length} outputs, got ${inputs.length} and ${outputs.length}`);
    }
    return {
      name: this.name,
      session: this.session,
      inputNames: this.inputNames.address,
      inputs: pointersOf(inputs),
      outputNames: this.outputNames.address,
      outputs: pointersOf(outputs),
    };
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

/**
 * What the library calls run options, for as long as `use` takes, so that the signal ends the runs that were given them, those that have not
 * begun too; rejects with the signal's reason then. No options where there is no signal.
 */
export async function withRunOptions<T>(api: CApi, { signal }: RunOptions, use: (runOptions: Pointer) => Promise<T>): Promise<T> {
  if (signal === undefined) return use(null);
  signal.throwIfAborted();
  const runOptions = api.make("CreateRunOptions");
  const terminate = () => api.check(api.RunOptionsSetTerminate(runOptions));
  signal.addEventListener("abort", terminate, { once: true });
  try {
    return await use(runOptions);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", terminate);
    api.ReleaseRunOptions(runOptions);
  }
}

/** A run as numbers only: addresses of the session, of arrays of names, and of tensors. */
export interface ProgramCall {
  /** Of the program, for errors. */
  readonly name: string;
  readonly session: Pointer;
  readonly inputNames: Pointer;
  readonly inputs: BigUint64Array;
  readonly outputNames: Pointer;
  readonly outputs: BigUint64Array;
}

/** The arguments of the library's Run, and what is to be done with the status: `finish` throws where the run failed or wrote an output elsewhere. */
export function libraryCall(api: CApi, call: ProgramCall, runOptions: Pointer): { words: unknown[]; finish: (status: Pointer) => void } {
  const { name, session, inputNames, inputs, outputNames, outputs } = call;
  const written = outputs.slice(); // the library replaces what it did not write in place
  const finish = (status: Pointer) => {
    try {
      api.check(status);
      const moved = outputs.findIndex((pointer, index) => pointer !== written[index]);
      if (moved >= 0) throw new Error(`internal: output ${moved} was not written to its tensor`);
    } catch (failure) {
      throw new Error(`${name}: ${(failure as Error).message}`, { cause: failure });
    }
  };
  return { words: [session, runOptions, inputNames, inputs, inputs.length, outputNames, outputs.length, written], finish };
}

function pointersOf(tensors: readonly Tensor[]): BigUint64Array {
  return BigUint64Array.from(tensors, (tensor) => (tensor as NativeTensor).value as bigint);
}
