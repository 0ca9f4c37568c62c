/**
 * What a block keeps of its forward pass for its backward pass. Keeping everything is fastest and largest; values that are
 * cheap to compute can be computed again; a block that keeps nothing but its inputs is computed again whole (gradient
 * checkpointing, Chen et al. 2016). The middle way is a minimum cut of the forward graph: the smallest set of values from
 * which everything the backward pass reads follows by cheap ops.
 */
import { elementCount, evaluateDimension, symbolsOf } from "../graph/dimension.js";
import { orderNodes } from "../graph/graph.js";
import type { Node, Value } from "../graph/value.js";
import { definitionOf } from "../ops/define-op.js";
import { minimumCut } from "./minimum-cut.js";

export type ResidualPolicy = "keep" | "recompute" | "checkpoint";

/** A size to weigh values by where a dimension is not known. */
const nominalSize = 256;

/**
 * The values to keep, among those the forward nodes make. `read` are the forward values that gradients are built on;
 * `free` are those that are there anyway (inputs, parameters, outputs of the block).
 */
export function chooseResiduals(policy: ResidualPolicy, read: readonly Value[], free: ReadonlySet<Value>): Value[] {
  const wanted = read.filter((value) => value.node !== undefined && !free.has(value) && value.node.op.name !== "Constant");
  if (policy === "checkpoint") return [];
  const recomputable = (node: Node) => {
    const cost = definitionOf(node).cost ?? "heavy";
    return cost === "view" || (cost === "elementwise" && policy === "recompute");
  };
  // Values as vertices cut in two: cutting between the halves keeps the value. A value that must not be computed again hangs on
  // the source, one the backward pass reads hangs on the sink.
  const vertices = new Map<Value, number>();
  const vertexOf = (value: Value) => {
    if (!vertices.has(value)) vertices.set(value, 2 + 2 * vertices.size);
    return vertices.get(value)!;
  };
  const edges: [from: number, to: number, capacity: number][] = [];
  const seen = new Set<Value>();
  for (const node of orderNodes(wanted)) {
    for (const value of node.outputs) {
      if (free.has(value)) continue;
      seen.add(value);
      const vertex = vertexOf(value);
      // A view costs as much as what it views plus a little, so that the original is kept and not a copy.
      const viewed = definitionOf(node).cost === "view" ? 1 : 0;
      edges.push([vertex, vertex + 1, sizeOf(value) + viewed]);
      if (!recomputable(node)) edges.push([0, vertex, Infinity]);
      else for (const source of node.inputs) if (source.node !== undefined && !free.has(source)) edges.push([vertexOf(source) + 1, vertex, Infinity]);
    }
  }
  for (const value of wanted) edges.push([vertexOf(value) + 1, 1, Infinity]);
  const reachable = minimumCut(2 + 2 * vertices.size, edges, 0, 1);
  return [...seen].filter((value) => reachable.has(vertexOf(value)) && !reachable.has(vertexOf(value) + 1));
}

function sizeOf(value: Value): number {
  const count = elementCount(value.shape);
  return evaluateDimension(count, Object.fromEntries(symbolsOf(count).map((name) => [name, nominalSize])));
}
