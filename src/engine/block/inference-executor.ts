/**
 * Runs a network forward only: its blocks joined end to end into one graph, so that the runtime reuses memory between layers
 * and nothing is kept. Weights are inputs bound to the parameter store: what training writes, evaluation reads, without a copy.
 */
import { fuseForInference } from "../fusions/inference.js";
import { type Bindings, evaluateShape } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input, type TensorType, type Value } from "../graph/value.js";
import { type Lane, openLanes, type RunOnLane } from "../runtime/lanes.js";
import { bytesPerElement, type Command, type HostArray, type Memory, type Runtime, type RunOptions, type Tensor } from "../runtime/runtime.js";
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
  /** Outputs are copies. Runs asked for at once follow each other in the order of the calls. */
  run(bindings: Bindings, inputs: Readonly<Record<string, HostArray>>, options?: RunOptions): Promise<Record<string, Float32Array>>;
  /**
   * For many runs, each computed on one thread: as many should be asked for at a time as `atOnce` says. It says one where there is one thread or
   * there are very many, which then share each run.
   */
  many(): Promise<{ readonly atOnce: number; readonly run: InferenceExecutor["run"] }>;
  /** Gives the program back, once the runs asked for before have ended. */
  release(): void;
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
  const lanes = await openLanes(runtime, (singleThreaded) =>
    runtime.compile(graph, { name: singleThreaded ? "inference on one thread" : "inference", singleThreaded }),
  );
  /** Memory of the graph's inputs and outputs, by lane and name: runs of a lane follow each other and share it. */
  const memories = new Map<Lane, Map<string, Memory>>();
  /** Memory is kept, and grown when a larger tensor comes. */
  const tensorFor = (lane: Lane, name: string, type: TensorType, bindings: Bindings): Tensor => {
    let own = memories.get(lane);
    if (own === undefined) memories.set(lane, (own = new Map()));
    const shape = evaluateShape(type.shape, bindings);
    const bytes = shape.reduce((product, size) => product * size, bytesPerElement[type.dtype]);
    let memory = own.get(name);
    if (memory === undefined || memory.byteLength < bytes) own.set(name, (memory = runtime.allocate(bytes)));
    return runtime.tensor(memory, 0, type.dtype, shape);
  };
  const runOn =
    (run: RunOnLane): InferenceExecutor["run"] =>
    (bindings, inputs, options) =>
      run(async (lane) => {
        const given = joined.inputs.map((name) => tensorFor(lane, name, network.inputs[name], bindings));
        const made = graph.outputs.map(({ name, value }) => tensorFor(lane, name, value, bindings));
        try {
          const results = await lane.queue.submit(
            [
              ...given.map((tensor, index): Command => ({ do: "write", tensor, data: inputs[joined.inputs[index]] })),
              { do: "run", program: lane.program, inputs: [...given, ...parameters], outputs: made },
              ...made.map((tensor): Command => ({ do: "read", tensor })),
            ],
            options,
          );
          return Object.fromEntries(results.map((result, index) => [outputs[index], result]));
        } finally {
          for (const tensor of [...given, ...made]) tensor.release();
        }
      });
  return {
    inputs: joined.inputs,
    run: runOn(lanes.one),
    many: async () => {
      const { atOnce, run } = await lanes.many();
      return { atOnce, run: runOn(run) };
    },
    release: lanes.release,
  };
}
