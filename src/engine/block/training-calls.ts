/** The calls of a network made ready for training: each kind differentiated and compiled once, for the gradients that are wanted of it. */
import type { ResidualPolicy } from "../autodiff/residuals.js";
import type { Program, Runtime } from "../runtime/runtime.js";
import { blockKey, type Call, type Network } from "./block.js";
import { outputDependencies } from "./dependencies.js";
import { type DifferentiatedBlock, differentiate } from "./differentiate.js";
import type { ParameterStore } from "./parameter-store.js";

export interface CallOptions {
  readonly policy: ResidualPolicy;
  /** The output that is minimised: a scalar. */
  readonly loss: string;
  readonly profilePrefix?: string;
  /** Each run computes on one thread, because several go on at once. */
  readonly singleThreaded: boolean;
}

export interface TrainingCall {
  readonly call: Call;
  readonly place: number;
  readonly graphs: DifferentiatedBlock;
  readonly forward: Program;
  readonly backward: Program | undefined;
}

/** Dropout sites of one call are numbered from a multiple of this. */
export const sitesPerCall = 16;

/** Differentiates and compiles each kind of call once. */
export async function prepareCalls(runtime: Runtime, network: Network, store: ParameterStore, options: CallOptions): Promise<TrainingCall[]> {
  const { outputsThatLead, consumers } = gradientFlow(network, store, options.loss);
  const programs = new Map<string, Promise<Omit<TrainingCall, "call" | "place">>>();
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
        singleThreaded: options.singleThreaded,
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
