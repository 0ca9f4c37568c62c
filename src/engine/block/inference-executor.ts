/**
 * Runs a network forward only: its blocks joined end to end into one graph, so that the runtime reuses memory between layers
 * and nothing is kept. Weights are inputs bound to the parameter store: what training writes, evaluation reads, without a copy.
 */
import { InternalError } from "../../errors.js";
import { fuseForInference } from "../fusions/inference.js";
import { type Bindings, evaluateShape } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input, type TensorType, type Value } from "../graph/value.js";
import { bytesPerElement, type HostArray, type Memory, type Program, type Runtime, type RunOptions, runsSideBySide, type Tensor } from "../runtime/runtime.js";
import { type Network, traceBlock } from "./block.js";
import type { ParameterStore } from "./parameter-store.js";

export interface JoinedNetwork {
  readonly graph: Graph;
  /** Names of the network's inputs that the outputs depend on, in the graph's order. */
  readonly inputs: readonly string[];
  /** Checkpoint names of the parameters, behind the inputs in the graph's order. */
  readonly parameters: readonly string[];
}

/** One graph of the whole network without dropout, cut down to what `outputs` need. */
export function joinNetwork(network: Network, outputs: readonly string[]): JoinedNetwork {
  const values = new Map<string, Value>(Object.entries(network.inputs).map(([name, type]) => [name, input(name, type.dtype, type.shape)]));
  const networkInputs = new Map(values);
  const parameters = new Map<string, Value>();
  for (const call of network.calls) {
    const bound = new Map(
      Object.entries(call.block.parameters).map(([local, { shape }]) => {
        const name = call.parameters[local];
        if (!parameters.has(name)) parameters.set(name, input(name, "float32", shape));
        return [local, parameters.get(name)!];
      }),
    );
    const inputs = new Map(Object.entries(call.inputs).map(([local, name]) => [local, values.get(name)!]));
    const trace = traceBlock(call.block, { training: false, scope: call.name, inputs, parameters: bound });
    for (const [local, value] of trace.outputs) values.set(call.outputs[local], value);
  }
  const named = outputs.map((name) => ({ name, value: values.get(name)! }));
  const whole = new Graph([...networkInputs.values(), ...parameters.values()], named);
  const used = new Set(whole.nodes.flatMap((node) => node.inputs));
  const inputNames = [...networkInputs].filter(([, value]) => used.has(value)).map(([name]) => name);
  const parameterNames = [...parameters].filter(([, value]) => used.has(value)).map(([name]) => name);
  const graph = new Graph([...inputNames.map((name) => networkInputs.get(name)!), ...parameterNames.map((name) => parameters.get(name)!)], named);
  return { graph, inputs: inputNames, parameters: parameterNames };
}

export interface InferenceExecutor {
  readonly inputs: readonly string[];
  /** Outputs are copies. Runs asked for at once follow each other in the order of the calls: they share the memory of inputs and outputs. */
  run(bindings: Bindings, inputs: Readonly<Record<string, HostArray>>, options?: RunOptions): Promise<Record<string, Float32Array>>;
  /**
   * For many runs: as many at once as `atOnce` says, each computed on one thread. Threads that share a run wait for each other at every
   * operator; threads with runs of their own do not. One at a time, on all threads, where the runtime cannot keep each busy with a run.
   */
  many(): Promise<{ readonly atOnce: number; readonly run: InferenceExecutor["run"] }>;
  /** Gives the program back, once the runs asked for before have ended. */
  release(): void;
}

/** Runs of one program, one after the other in the order of the calls, in memory that is kept between them. */
interface Lane {
  readonly run: InferenceExecutor["run"];
  /** Runs asked for that have not ended. */
  readonly waiting: () => number;
  /** Resolves when all of them have. */
  readonly idle: () => Promise<unknown>;
}

export async function createInferenceExecutor(
  runtime: Runtime,
  network: Network,
  store: ParameterStore,
  outputs: readonly string[],
): Promise<InferenceExecutor> {
  const joined = joinNetwork(network, outputs);
  const graph = fuseForInference(joined.graph);
  const parameters = joined.parameters.map((name) => store.parameters.get(name)!.tensor);
  const program = await runtime.compile(graph, { name: "inference" });
  let isReleased = false;

  const laneOf = (chosen: Program): Lane => {
    const memories = new Map<string, Memory>();
    /** Memory of a graph input or output, grown when a larger one comes. */
    const tensorFor = (name: string, type: TensorType, bindings: Bindings): Tensor => {
      const shape = evaluateShape(type.shape, bindings);
      const bytes = shape.reduce((product, size) => product * size, bytesPerElement[type.dtype]);
      let memory = memories.get(name);
      if (memory === undefined || memory.byteLength < bytes) memories.set(name, (memory = runtime.allocate(bytes)));
      return runtime.tensor(memory, 0, type.dtype, shape);
    };
    const compute: InferenceExecutor["run"] = async (bindings, inputs, options) => {
      options?.signal?.throwIfAborted();
      const ins = joined.inputs.map((name) => {
        const tensor = tensorFor(name, network.inputs[name], bindings);
        (tensor.data as Float32Array).set(inputs[name] as Float32Array);
        return tensor;
      });
      const outs = graph.outputs.map(({ name, value }) => tensorFor(name, value, bindings));
      try {
        await chosen.run([...ins, ...parameters], outs, options);
        return Object.fromEntries(outs.map((tensor, index) => [outputs[index], Float32Array.from(tensor.data as Float32Array)]));
      } finally {
        for (const tensor of [...ins, ...outs]) tensor.release();
      }
    };
    let last: Promise<unknown> = Promise.resolve();
    let waiting = 0;
    return {
      run: (...given) => {
        if (isReleased) return Promise.reject(new InternalError("inference was asked for after release()"));
        waiting++;
        const turn = last.then(() => compute(...given)).finally(() => waiting--);
        last = turn.catch(() => undefined);
        return turn;
      },
      waiting: () => waiting,
      idle: () => last,
    };
  };

  const whole = laneOf(program);
  let single: Promise<{ program: Program; lanes: readonly Lane[] }> | undefined;
  const singleThreaded = async () => {
    const compiled = await runtime.compile(graph, { name: "inference on one thread", singleThreaded: true });
    return { program: compiled, lanes: Array.from({ length: runtime.threads }, () => laneOf(compiled)) };
  };
  return {
    inputs: joined.inputs,
    run: whole.run,
    many: async () => {
      if (!runsSideBySide(runtime)) return { atOnce: 1, run: whole.run };
      const { lanes } = await (single ??= singleThreaded());
      const leastBusy = () => lanes.reduce((best, lane) => (lane.waiting() < best.waiting() ? lane : best));
      return { atOnce: lanes.length, run: (...given) => leastBusy().run(...given) };
    },
    release: () => {
      if (isReleased) return;
      isReleased = true;
      void whole.idle().then(() => program.release());
      void single?.then(
        async ({ program: compiled, lanes }) => {
          await Promise.all(lanes.map((lane) => lane.idle()));
          compiled.release();
        },
        () => undefined, // told to whoever asked for it
      );
    },
  };
}
