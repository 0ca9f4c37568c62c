/**
 * Runs a network's forward and backward pass over micro-batches: one on all threads, or several at once with a thread each. Blocks of one
 * kind share compiled programs; activations, residuals and gradients lie in an arena that is planned for each shape; gradients of
 * parameters add up in the parameter store until the optimizer has used them.
 */
import type { ResidualPolicy } from "../autodiff/residuals.js";
import { type Bindings, evaluateShape } from "../graph/dimension.js";
import { bytesPerElement, type HostArray, type Memory, type Runtime, type Tensor } from "../runtime/runtime.js";
import { accumulatedGradients, gradientName, lifetimesOf, maskName, slotName, tensorTypes } from "./arena-layout.js";
import type { Network } from "./block.js";
import type { Slot } from "./differentiate.js";
import { bankLength, fillDropoutBank, fillDropoutMask } from "./dropout-masks.js";
import { createGradientCopies } from "./gradient-copies.js";
import { type MemoryPlan, planMemory } from "./memory-plan.js";
import type { ParameterStore } from "./parameter-store.js";
import { shareOut } from "./share-out.js";
import { prepareCalls, sitesPerCall, type TrainingCall } from "./training-calls.js";

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

export interface MicroBatch {
  /** Sizes of the network's symbolic dimensions. */
  readonly bindings: Bindings;
  readonly inputs: Readonly<Record<string, HostArray>>;
  /** What identifies each sample within its optimizer step: dropout depends on it. */
  readonly samples: ArrayLike<number>;
  readonly step: number;
}

/** A micro-batch with its tensors in the arena. */
interface Binding {
  readonly batch: MicroBatch;
  readonly lane: number;
  tensorOf(name: string): Tensor;
  /** Bytes from the start of `elements`. */
  offsetOf(name: string): number;
  /** Banks of random elements, and the arenas of all lanes. */
  readonly elements: Float32Array;
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
  const bankBytes = rates.length * bankLength * bytesPerElement.float32;
  let arenas: { memory: Memory; elements: Float32Array; /** Of each. */ byteLength: number } | undefined;

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
      arenas?.memory.release();
      const bytes = bankBytes + lanes * byteLength;
      const memory = runtime.allocate(bytes);
      const whole = runtime.tensor(memory, 0, "float32", [bytes / bytesPerElement.float32]);
      arenas = { memory, elements: whole.data as Float32Array, byteLength };
      whole.release();
      for (const [index, rate] of rates.entries()) fillDropoutBank(arenas.elements.subarray(index * bankLength), options.seed, rate);
    }
    return arenas;
  };
  const growFor = (shapes: Iterable<Bindings>) => {
    let most = 0;
    for (const bindings of shapes) most = Math.max(most, planFor(bindings).byteLength);
    grow(most);
  };

  const sharedGradients = accumulatedGradients(calls);

  /** Lays the micro-batch's tensors into the arena of `lane` for as long as `use` runs. */
  const withBindings = async <T>(batch: MicroBatch, lane: number, use: (binding: Binding) => Promise<T>): Promise<T> => {
    const plan = planFor(batch.bindings);
    const { memory, elements, byteLength } = grow(plan.byteLength);
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
      for (const name of Object.keys(network.inputs)) (tensorOf(name).data as Float32Array).set(batch.inputs[name] as Float32Array);
      return await use({ batch, lane, tensorOf, offsetOf, elements });
    } finally {
      for (const tensor of made.values()) tensor.release();
    }
  };
  const bind = (binding: Binding, prepared: TrainingCall, slots: readonly Slot[]) =>
    slots.map((slot) => {
      if (slot.kind !== "parameter" && slot.kind !== "parameterGradient") return binding.tensorOf(slotName(prepared, slot));
      const name = prepared.call.parameters[slot.name];
      return slot.kind === "parameter" ? store.parameters.get(name)!.tensor : gradients.gradient(name, binding.lane);
    });
  const fillMasks = ({ batch, elements, offsetOf }: Binding, prepared: TrainingCall | undefined) =>
    prepared?.graphs.dropouts.forEach(({ type, rate }, site) => {
      const at = offsetOf(maskName(prepared, site)) / bytesPerElement.float32;
      const place = prepared.place * sitesPerCall + site;
      // A first dimension of fixed size is no batch: what the samples share drops the same elements for all of them, however they are cut.
      const samples = typeof type.shape[0] === "number" ? undefined : batch.samples;
      const key = { seed: options.seed, step: batch.step, place, samples };
      fillDropoutMask(elements, rates.indexOf(rate) * bankLength, at, evaluateShape(type.shape, batch.bindings), key);
    });
  const runForward = async (binding: Binding, index: number) => {
    if (index === 0) fillMasks(binding, calls[0]);
    const { forward, graphs } = calls[index];
    const running = forward.run(bind(binding, calls[index], graphs.forward.inputs), bind(binding, calls[index], graphs.forward.outputs));
    fillMasks(binding, calls[index + 1]); // while the other threads compute
    await running;
  };

  const compute = (batch: MicroBatch, outputs: readonly string[], lane: number) =>
    withBindings(batch, lane, async (binding) => {
      const results: Record<string, Float32Array> = {};
      for (const [index, { call }] of calls.entries()) {
        await runForward(binding, index);
        // Copied at once: what no later call reads may be written over.
        for (const name of Object.values(call.outputs)) {
          if (outputs.includes(name)) results[name] = Float32Array.from(binding.tensorOf(name).data as Float32Array);
        }
      }
      (binding.tensorOf(gradientName(options.loss)).data as Float32Array).fill(1);
      for (const name of sharedGradients) (binding.tensorOf(gradientName(name)).data as Float32Array).fill(0);
      for (const prepared of [...calls].reverse()) {
        const { backward } = prepared.graphs;
        if (backward === undefined || prepared.backward === undefined) continue;
        await prepared.backward.run(bind(binding, prepared, backward.inputs), bind(binding, prepared, backward.outputs));
      }
      return results;
    });

  return {
    lanes,
    bankBytes,
    arenaBytes: (bindings) => planFor(bindings).byteLength,
    reserve: growFor,
    run: (batch, outputs) => compute(batch, outputs, 0),
    runAll: async (batches, outputs) => {
      growFor(batches.map(({ bindings }) => bindings)); // not while a lane computes in it
      const results = new Array<Record<string, Float32Array>>(batches.length);
      // Time goes nearly with the number of tokens, and so with that of the inputs' elements.
      const costs = batches.map(({ inputs }) => Object.values(inputs).reduce((sum, { length }) => sum + length, 0));
      const shares = shareOut(costs, lanes);
      const ended = await Promise.allSettled(
        shares.map(async (share, lane) => {
          for (const index of share) results[index] = await compute(batches[index], outputs, lane);
        }),
      );
      for (const lane of ended) if (lane.status === "rejected") throw lane.reason;
      if (batches.length > 1) await gradients.addUp();
      return results;
    },
    firstNonFinite: (batch) =>
      withBindings(batch, 0, async (binding) => {
        for (const [index, { call, graphs }] of calls.entries()) {
          await runForward(binding, index);
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
      arenas?.memory.release();
    },
  };
}

