/** How often each value of a graph is read: a fusion may swallow only what nothing else reads. */
import type { Graph } from "../graph/graph.js";
import type { Value } from "../graph/value.js";

export function countUses(graph: Graph): Map<Value, number> {
  const uses = new Map<Value, number>();
  const count = (value: Value) => uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const node of graph.nodes) node.inputs.forEach(count);
  graph.outputs.forEach(({ value }) => count(value));
  return uses;
}
