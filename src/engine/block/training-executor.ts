/**
 * Runs a network's forward and backward pass over micro-batches: one on all threads, or several at once with a thread each. Blocks of one
 * kind share compiled programs; activations, residuals and gradients lie in an arena that is planned for each shape; gradients of
 * parameters add up in the parameter store until the optimizer has used them.
 */
import type { ResidualPolicy } from "../autodiff/residuals.js";
import { type Bindings, evaluateShape } from "../graph/dimension.js";
import { bytesPerElement, type Memory, queuesOf, type Runtime, type Tensor } from "../runtime/runtime.js";
import { sharedQueue } from "../runtime/shared-queue.js";
import { lifetimesOf, tensorTypes } from "./arena-layout.js";
import type { Network } from "./block.js";
import { bankLength, fillDropoutBank } from "./dropout-masks.js";
import { createGradientCopies } from "./gradient-copies.js";
import { type MemoryPlan, planMemory } from "./memory-plan.js";
import type { ParameterStore } from "./parameter-store.js";
import { shareOut } from "./share-out.js";
import { prepareCalls } from "./training-calls.js";
import { type Binding, type MicroBatch, trainingCommands } from "./training-commands.js";

export interface TrainingExecutorOptions {
  readonly policy: ResidualPolicy;
  /** The output that is minimised: a scalar. */
  readonly loss: string;
  readonly seed: number;
  /**
   * Micro-batches that `runAll` computes at once, each on one thread, in an arena and with a copy of the gradients of its own; 1 by default,
   * which computes on all threads. Threads that share a run wait for each other at every operator, threads with runs of their own do not.
   */
  readonly lanes?: number;
  readonly profilePrefix?: string;
}

export interface TrainingExecutor {
  /** Micro-batches that are computed at once. */
  readonly lanes: number;
  /** Forward and backward; adds to the store's gradients and returns the named scalar or tensor outputs as copies. */
  run(batch: MicroBatch, outputs: readonly string[]): Promise<Record<string, Float32Array>>;
  /** The same of each, as many at once as there are lanes. Which lane takes which depends on the shapes alone, so that all sums are the same each time. */
  runAll(batches: readonly MicroBatch[], outputs: readonly string[]): Promise<Record<string, Float32Array>[]>;
  /** Bytes of a lane's arena for a shape: activations, residuals, masks and their gradients at their peak. */
  arenaBytes(bindings: Bindings): number;
  /** Bytes of the random elements that dropout masks are copied from, which lie before the arenas. */
  readonly bankBytes: number;
  /** Makes the arenas large enough for every one of these shapes, so that later runs allocate nothing. */
  reserve(shapes: Iterable<Bindings>): void;
  /** The name of the first call whose output holds a NaN or an infinity in the forward pass over `batch`; undefined where all are finite. */
  firstNonFinite(batch: MicroBatch): Promise<string | undefined>;
  finishProfiles(): string[];
  release(): void;
}

/** Compiles what `network` needs for training the store's trainable parameters. */
export async function createTrainingExecutor(
  runtime: Runtime,
  network: Network,
  store: ParameterStore,
  options: TrainingExecutorOptions,
): Promise<TrainingExecutor> {
  const { lanes = 1 } = options;
  const calls = await prepareCalls(runtime, network, store, { ...options, singleThreaded: lanes > 1 });
  const gradients = await createGradientCopies(runtime, store, lanes);
  const types = tensorTypes(network, calls);
  const plans = new Map<string, MemoryPlan>();
  // Behind a bank of random elements for each dropout rate lies the arena of each lane.
  const rates = [...new Set(calls.flatMap(({ graphs }) => graphs.dropouts.map(({ rate }) => rate)))];
  const commands = trainingCommands(network, store, calls, { loss: options.loss, seed: options.seed, rates });
  const bankBytes = rates.length * bankLength * bytesPerElement.float32;
  let arenas: { memory: Memory; whole: Tensor; /** Of each. */ byteLength: number } | undefined;
  const queues = lanes === 1 ? [sharedQueue()] : await queuesOf(runtime, lanes);

  const planFor = (bindings: Bindings): MemoryPlan => {
    const key = Object.entries(bindings).map(([name, size]) => `${name}=${size}`).sort().join(" ");
    let plan = plans.get(key);
    if (plan === undefined) {
      if (plans.size >= 1024) plans.clear();
      plans.set(key, (plan = planMemory(lifetimesOf(network, calls, types, bindings))));
    }
    return plan;
  };
  const grow = (byteLength: number) => {
    if (arenas === undefined || byteLength > arenas.byteLength) {
      releaseArenas();
      const bytes = bankBytes + lanes * byteLength;
      const memory = runtime.allocate(bytes);
      const whole = runtime.tensor(memory, 0, "float32", [bytes / bytesPerElement.float32]);
      arenas = { memory, whole, byteLength };
      for (const [index, rate] of rates.entries()) fillDropoutBank((whole.data as Float32Array).subarray(index * bankLength), options.seed, rate);
    }
    return arenas;
  };
  const releaseArenas = () => {
    arenas?.whole.release();
    arenas?.memory.release();
  };
  const growFor = (shapes: Iterable<Bindings>) => {
    let most = 0;
    for (const bindings of shapes) most = Math.max(most, planFor(bindings).byteLength);
    grow(most);
  };

  /** Lays the micro-batch's tensors into the arena of `lane` for as long as `use` runs. */
  const withBindings = async <T>(batch: MicroBatch, lane: number, use: (binding: Binding) => Promise<T>): Promise<T> => {
    const plan = planFor(batch.bindings);
    const { memory, whole, byteLength } = grow(plan.byteLength);
    const start = bankBytes + lane * byteLength;
    const made = new Map<string, Tensor>();
    const offsetOf = (name: string) => {
      const offset = plan.offsets.get(name);
      if (offset === undefined) throw new Error(`internal: no memory was planned for ${name}`);
      return start + offset;
    };
    const tensorOf = (name: string): Tensor => {
      let tensor = made.get(name);
      if (tensor === undefined) {
        const type = types.get(name)!;
        made.set(name, (tensor = runtime.tensor(memory, offsetOf(name), type.dtype, evaluateShape(type.shape, batch.bindings))));
      }
      return tensor;
    };
    try {
      return await use({ batch, tensorOf, offsetOf, gradientOf: (name) => gradients.gradient(name, lane), whole });
    } finally {
      for (const tensor of made.values()) tensor.release();
    }
  };
  const compute = (batch: MicroBatch, outputs: readonly string[], lane: number) =>
    withBindings(batch, lane, async (binding) => {
      const list = commands.inputs(binding);
      const read: string[] = [];
      for (const [index, { call }] of calls.entries()) {
        list.push(...commands.forward(binding, index));
        // Copied at once: what no later call reads may be written over.
        for (const name of Object.values(call.outputs)) {
          if (!outputs.includes(name)) continue;
          list.push({ do: "read", tensor: binding.tensorOf(name) });
          read.push(name);
        }
      }
      list.push(...commands.backward(binding));
      const results = await queues[lane].submit(list);
      return Object.fromEntries(read.map((name, index) => [name, results[index]]));
    });

  return {
    lanes,
    bankBytes,
    arenaBytes: (bindings) => planFor(bindings).byteLength,
    reserve: growFor,
    run: (batch, outputs) => compute(batch, outputs, 0),
    runAll: async (batches, outputs) => {
      growFor(batches.map(({ bindings }) => bindings)); // not while a lane computes in it
      // Time goes nearly with the number of tokens, and so with that of the inputs' elements.
      const costs = batches.map(({ inputs }) => Object.values(inputs).reduce((sum, { length }) => sum + length, 0));
      const shares = shareOut(costs, lanes);
      const running = new Array<Promise<Record<string, Float32Array>>>(batches.length);
      // The first of each lane before the second of any, so that all lanes begin at once.
      for (let turn = 0; turn < batches.length; turn++) {
        for (const [lane, share] of shares.entries()) if (turn < share.length) running[share[turn]] = compute(batches[share[turn]], outputs, lane);
      }
      await Promise.allSettled(running); // a lane that fails leaves the others in their arenas
      const results = await Promise.all(running);
      if (batches.length > 1) await gradients.addUp();
      return results;
    },
    firstNonFinite: (batch) =>
      withBindings(batch, 0, async (binding) => {
        await queues[0].submit(commands.inputs(binding));
        for (const [index, { call, graphs }] of calls.entries()) {
          await queues[0].submit(commands.forward(binding, index));
          for (const [local, { dtype }] of graphs.outputs) {
            const { data } = binding.tensorOf(call.outputs[local]);
            if (dtype === "float32" && !(data as Float32Array).every(Number.isFinite)) return call.name;
          }
        }
        return undefined;
      }),
    finishProfiles: () => [...new Set(calls.flatMap(({ forward, backward }) => [forward, backward]))].flatMap((program) => program?.finishProfile() ?? []),
    release: () => {
      for (const program of new Set(calls.flatMap(({ forward, backward }) => [forward, backward]))) program?.release();
      gradients.release();
      releaseArenas();
    },
  };
}

