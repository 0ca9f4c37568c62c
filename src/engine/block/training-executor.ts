/**
 * Runs a network's forward and backward pass over one micro-batch at a time. Blocks of one kind share compiled programs;
 * activations, residuals and gradients lie in one arena that is planned for each shape; gradients of parameters add up in the
 * parameter store until the optimizer has used them.
 */
import type { ResidualPolicy } from "../autodiff/residuals.js";
import { type Bindings, evaluateShape } from "../graph/dimension.js";
import type { TensorType } from "../graph/value.js";
import { bytesPerElement, type HostArray, type Memory, type Program, type Runtime, type Tensor } from "../runtime/runtime.js";
import { blockKey, type Call, type Network } from "./block.js";
import { outputDependencies } from "./dependencies.js";
import { type DifferentiatedBlock, differentiate, type Slot } from "./differentiate.js";
import { bankLength, fillDropoutBank, fillDropoutMask } from "./dropout-masks.js";
import { type Lifetime, type MemoryPlan, planMemory } from "./memory-plan.js";
import type { ParameterStore } from "./parameter-store.js";

export interface TrainingExecutorOptions {
  readonly policy: ResidualPolicy;
  /** The output that is minimised: a scalar. */
  readonly loss: string;
  readonly seed: number;
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

interface PreparedCall {
  readonly call: Call;
  readonly place: number;
  readonly graphs: DifferentiatedBlock;
  readonly forward: Program;
  readonly backward: Program | undefined;
}

/** A micro-batch with its tensors in the arena. */
interface Binding {
  readonly batch: MicroBatch;
  tensorOf(name: string): Tensor;
  /** Bytes from the arena's start. */
  offsetOf(name: string): number;
  /** The whole arena. */
  readonly elements: Float32Array;
}

/** Dropout sites of one call are numbered from a multiple of this. */
const sitesPerCall = 16;

export interface TrainingExecutor {
  /** Forward and backward; adds to the store's gradients and returns the named scalar or tensor outputs as copies. */
  run(batch: MicroBatch, outputs: readonly string[]): Promise<Record<string, Float32Array>>;
  /** Bytes of the arena for a shape: activations, residuals, masks and their gradients at their peak. */
  arenaBytes(bindings: Bindings): number;
  /** Bytes of the random elements that dropout masks are copied from, which lie before the arena. */
  readonly bankBytes: number;
  /** Makes the arena large enough for every one of these shapes, so that later runs allocate nothing. */
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
  const calls = await prepareCalls(runtime, network, store, options);
  const types = tensorTypes(network, calls);
  const plans = new Map<string, MemoryPlan>();
  // The arena begins with a bank of random elements for each dropout rate; planned offsets count from behind them.
  const rates = [...new Set(calls.flatMap(({ graphs }) => graphs.dropouts.map(({ rate }) => rate)))];
  const bankBytes = rates.length * bankLength * bytesPerElement.float32;
  let arena: { memory: Memory; elements: Float32Array; byteLength: number } | undefined;

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
    if (arena === undefined || byteLength > arena.byteLength) {
      arena?.memory.release();
      const memory = runtime.allocate(bankBytes + byteLength);
      const whole = runtime.tensor(memory, 0, "float32", [(bankBytes + byteLength) / bytesPerElement.float32]);
      arena = { memory, elements: whole.data as Float32Array, byteLength };
      whole.release();
      for (const [index, rate] of rates.entries()) fillDropoutBank(arena.elements.subarray(index * bankLength), options.seed, rate);
    }
    return arena;
  };

  const sharedGradients = accumulatedGradients(calls);

  /** Lays the micro-batch's tensors into the arena for as long as `use` runs. */
  const withBindings = async <T>(batch: MicroBatch, use: (binding: Binding) => Promise<T>): Promise<T> => {
    const plan = planFor(batch.bindings);
    const { memory, elements } = grow(plan.byteLength);
    const made = new Map<string, Tensor>();
    const offsetOf = (name: string) => {
      const offset = plan.offsets.get(name);
      if (offset === undefined) throw new Error(`internal: no memory was planned for ${name}`);
      return bankBytes + offset;
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
      return await use({ batch, tensorOf, offsetOf, elements });
    } finally {
      for (const tensor of made.values()) tensor.release();
    }
  };
  const bind = (binding: Binding, prepared: PreparedCall, slots: readonly Slot[]) =>
    slots.map((slot) => {
      if (slot.kind !== "parameter" && slot.kind !== "parameterGradient") return binding.tensorOf(slotName(prepared, slot));
      const parameter = store.parameters.get(prepared.call.parameters[slot.name])!;
      return slot.kind === "parameter" ? parameter.tensor : parameter.gradient!;
    });
  const fillMasks = ({ batch, elements, offsetOf }: Binding, prepared: PreparedCall | undefined) =>
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

  return {
    bankBytes,
    arenaBytes: (bindings) => planFor(bindings).byteLength,
    reserve: (shapes) => {
      let most = 0;
      for (const bindings of shapes) most = Math.max(most, planFor(bindings).byteLength);
      grow(most);
    },
    run: (batch, outputs) =>
      withBindings(batch, async (binding) => {
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
      }),
    firstNonFinite: (batch) =>
      withBindings(batch, async (binding) => {
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
      arena?.memory.release();
    },
  };
}

/** Differentiates and compiles each kind of call once. */
async function prepareCalls(runtime: Runtime, network: Network, store: ParameterStore, options: TrainingExecutorOptions): Promise<PreparedCall[]> {
  const { outputsThatLead, consumers } = gradientFlow(network, store, options.loss);
  const programs = new Map<string, Promise<Omit<PreparedCall, "call" | "place">>>();
  return Promise.all(
    network.calls.map(async (call, place) => {
      const inputs = new Map<string, "write" | "accumulate">();
      for (const [local, name] of Object.entries(call.inputs)) {
        if (outputsThatLead.has(name)) inputs.set(local, consumers.get(name)! > 1 ? "accumulate" : "write");
      }
      if (new Set([...inputs.keys()].map((local) => call.inputs[local])).size < inputs.size) {
        throw new Error(`internal: ${call.name} takes one tensor as several of its inputs, whose gradients would overwrite each other`);
      }
      const parameters = new Set(Object.entries(call.parameters).filter(([, name]) => store.parameters.get(name)!.trainable).map(([local]) => local));
      const outputs = Object.entries(call.outputs).filter(([, name]) => outputsThatLead.has(name)).map(([local]) => local);
      const key = JSON.stringify([blockKey(call.block), [...inputs], [...parameters], outputs]);
      if (!programs.has(key)) programs.set(key, compile(call, inputs, parameters, outputs));
      return { call, place, ...(await programs.get(key)!) };
    }),
  );

  async function compile(call: Call, inputs: Map<string, "write" | "accumulate">, parameters: Set<string>, outputs: string[]) {
    const graphs = differentiate(call.block, { inputs, outputs, parameters, policy: options.policy });
    if (graphs.dropouts.length > sitesPerCall) throw new Error(`internal: ${call.block.kind} drops out in more than ${sitesPerCall} places`);
    const compileOne = (direction: string, graph: DifferentiatedBlock["forward"]["graph"]) =>
      runtime.compile(graph, {
        name: `${call.block.kind} ${direction}`,
        profilePrefix: options.profilePrefix === undefined ? undefined : `${options.profilePrefix}-${call.block.kind.replace(/\W+/g, "-")}-${direction}`,
      });
    return {
      graphs,
      forward: await compileOne("forward", graphs.forward.graph),
      backward: graphs.backward === undefined ? undefined : await compileOne("backward", graphs.backward.graph),
    };
  }
}

/** Which tensors lie between a trained parameter and the loss, and how many calls send a gradient to each. */
function gradientFlow(network: Network, store: ParameterStore, loss: string) {
  const kinds = new Map<string, ReturnType<typeof outputDependencies>>();
  const dependenciesOf = ({ block }: Call) => {
    const key = blockKey(block);
    if (!kinds.has(key)) kinds.set(key, outputDependencies(block));
    return kinds.get(key)!;
  };
  const dependsOnTrained = new Set<string>();
  for (const call of network.calls) {
    for (const [local, { inputs, parameters }] of dependenciesOf(call)) {
      const trained = [...parameters].some((name) => store.parameters.get(call.parameters[name])!.trainable);
      if (trained || [...inputs].some((name) => dependsOnTrained.has(call.inputs[name]))) dependsOnTrained.add(call.outputs[local]);
    }
  }
  const outputsThatLead = new Set<string>([loss]);
  const consumers = new Map<string, number>();
  for (const call of [...network.calls].reverse()) {
    const leading = [...dependenciesOf(call)].filter(([local]) => outputsThatLead.has(call.outputs[local]));
    const reached = new Set(leading.flatMap(([, { inputs }]) => [...inputs].map((local) => call.inputs[local])));
    for (const name of reached) {
      if (!dependsOnTrained.has(name)) continue;
      outputsThatLead.add(name);
      consumers.set(name, (consumers.get(name) ?? 0) + 1);
    }
  }
  return { outputsThatLead, consumers };
}

/** Gradients that several calls add to: they start at zero. */
function accumulatedGradients(calls: readonly PreparedCall[]): Set<string> {
  const names = new Set<string>();
  for (const { call, graphs } of calls) {
    for (const slot of graphs.backward?.inputs ?? []) if (slot.kind === "inputGradient") names.add(call.inputs[slot.name]);
  }
  return names;
}

const gradientName = (name: string) => `gradient of ${name}`;
const maskName = ({ call }: PreparedCall, index: number) => `${call.name} mask ${index}`;
const residualName = ({ call }: PreparedCall, index: number) => `${call.name} residual ${index}`;

/** The network-wide name of what a slot of a call stands for. */
function slotName(prepared: PreparedCall, slot: Slot): string {
  switch (slot.kind) {
    case "input":
      return prepared.call.inputs[slot.name];
    case "output":
      return prepared.call.outputs[slot.name];
    case "inputGradient":
      return gradientName(prepared.call.inputs[slot.name]);
    case "outputGradient":
      return gradientName(prepared.call.outputs[slot.name]);
    case "residual":
      return residualName(prepared, slot.index);
    case "mask":
      return maskName(prepared, slot.index);
    default:
      throw new Error(`internal: ${slot.kind} ${slot.name} lies in the parameter store`);
  }
}

function tensorTypes(network: Network, calls: readonly PreparedCall[]): Map<string, TensorType> {
  const types = new Map<string, TensorType>(Object.entries(network.inputs));
  for (const prepared of calls) {
    for (const [local, type] of prepared.graphs.outputs) {
      types.set(prepared.call.outputs[local], type);
      types.set(gradientName(prepared.call.outputs[local]), type);
    }
    prepared.graphs.residuals.forEach((type, index) => types.set(residualName(prepared, index), type));
    prepared.graphs.dropouts.forEach(({ type }, index) => types.set(maskName(prepared, index), type));
  }
  return types;
}

/** From which event to which each tensor is needed: events 0 … n−1 are the forward calls, n … 2n−1 the backward ones. */
function lifetimesOf(network: Network, calls: readonly PreparedCall[], types: ReadonlyMap<string, TensorType>, bindings: Bindings): Lifetime[] {
  const spans = new Map<string, { first: number; last: number }>();
  const touch = (name: string, event: number) => {
    const span = spans.get(name);
    if (span === undefined) spans.set(name, { first: event, last: event });
    else {
      span.first = Math.min(span.first, event);
      span.last = Math.max(span.last, event);
    }
  };
  const end = 2 * calls.length - 1;
  for (const name of Object.keys(network.inputs)) touch(name, -1);
  calls.forEach((prepared, index) => {
    const touchAll = (slots: readonly Slot[], event: number) => {
      for (const slot of slots) if (slot.kind !== "parameter" && slot.kind !== "parameterGradient") touch(slotName(prepared, slot), event);
    };
    // Masks are filled while the call before runs.
    prepared.graphs.dropouts.forEach((_, mask) => touch(maskName(prepared, mask), index - 1));
    touchAll(prepared.graphs.forward.inputs, index);
    touchAll(prepared.graphs.forward.outputs, index);
    if (prepared.graphs.backward !== undefined) {
      touchAll(prepared.graphs.backward.inputs, end - index);
      touchAll(prepared.graphs.backward.outputs, end - index);
    }
  });
  // The seed and accumulated gradients are written before the first backward call; final outputs are read after the last forward one.
  for (const name of accumulatedGradients(calls)) touch(gradientName(name), calls.length);
  const consumed = new Set(calls.flatMap(({ call }) => Object.values(call.inputs)));
  for (const { call } of calls) for (const name of Object.values(call.outputs)) if (!consumed.has(name)) touch(name, calls.length);
  return [...spans].map(([name, { first, last }]) => {
    const type = types.get(name)!;
    const count = evaluateShape(type.shape, bindings).reduce((product, size) => product * size, 1);
    return { name, byteLength: count * bytesPerElement[type.dtype], first, last };
  });
}
