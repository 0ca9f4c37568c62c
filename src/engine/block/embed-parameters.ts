/**
 * A joined network with its parameters inside it, as constants that are named like the checkpoint's tensors: what an exported file is
 * written from, and what fusions that rearrange weights work on.
 */
import { Graph } from "../graph/graph.js";
import { substitute } from "../graph/substitute.js";
import { constantView } from "../ops/constant.js";
import type { JoinedNetwork } from "./inference-executor.js";

/** The graph of the network's inputs and outputs alone. `weights` gives each parameter's elements, which are not copied. */
export function embedParameters({ graph, inputs, parameters }: JoinedNetwork, weights: (name: string) => Float32Array): Graph {
  const byName = new Map(graph.inputs.map((value) => [value.name!, value]));
  const constants = new Map(
    parameters.map((name) => {
      const value = byName.get(name)!;
      return [value, constantView("float32", value.shape as readonly number[], weights(name), name)];
    }),
  );
  const outputs = substitute(
    graph.outputs.map(({ value }) => value),
    constants,
  );
  return new Graph(
    inputs.map((name) => byName.get(name)!),
    graph.outputs.map(({ name }, index) => ({ name, value: outputs[index] })),
  );
}
