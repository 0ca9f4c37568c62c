/** Which outputs of a block change smoothly with which of its inputs and parameters: only those can pass a gradient on. */
import { Graph } from "../graph/graph.js";
import type { Value } from "../graph/value.js";
import { definitionOf } from "../ops/define-op.js";
import { type Block, traceBlock } from "./block.js";

export interface Dependencies {
  readonly inputs: ReadonlySet<string>;
  readonly parameters: ReadonlySet<string>;
}

/** For each output, the inputs and parameters that a gradient of it reaches. */
export function outputDependencies(block: Block): Map<string, Dependencies> {
  const trace = traceBlock(block, { training: false });
  const leaves = [...trace.inputs.values(), ...trace.parameters.values()];
  const graph = new Graph(leaves, [...trace.outputs].map(([name, value]) => ({ name, value })));
  const reaches = new Map<Value, ReadonlySet<Value>>(leaves.filter((leaf) => leaf.dtype === "float32").map((leaf) => [leaf, new Set([leaf])]));
  for (const node of graph.nodes) {
    if (definitionOf(node).differentiable === false) continue;
    const leavesBelow = new Set(node.inputs.flatMap((value) => [...(reaches.get(value) ?? [])]));
    if (leavesBelow.size === 0) continue;
    for (const output of node.outputs) if (output.dtype === "float32") reaches.set(output, leavesBelow);
  }
  const among = (named: ReadonlyMap<string, Value>, below: ReadonlySet<Value>) =>
    new Set([...named].filter(([, value]) => below.has(value)).map(([name]) => name));
  return new Map(
    [...trace.outputs].map(([name, value]) => {
      const below = reaches.get(value) ?? new Set<Value>();
      return [name, { inputs: among(trace.inputs, below), parameters: among(trace.parameters, below) }];
    }),
  );
}
