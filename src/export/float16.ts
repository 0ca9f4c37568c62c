/**
 * A graph in half precision, as GPUs in browsers compute: weights, activations and constants become float16, the logits float32 again at the
 * end. Numbers beyond the range of float16 (the −1e9 that hides padding) become large finite ones, so that no infinity meets another. What
 * rotary positions are computed from stays float32.
 */
import { cast, Graph, type Value } from "../engine/index.js";
import { constantOf, constantView } from "../engine/ops/constant.js";
import { type DefinedOp, definitionOf } from "../engine/ops/define-op.js";
import { toFloat16 } from "../engine/float16.js";
import { type Attributes, type Node, withScope } from "../engine/graph/value.js";
import { expandComposites } from "../engine/graph/rewrite.js";

/** Half of the largest number: what is added to a hidden score does not leave the range either, and a row that is hidden whole stays even. */
const largest = 65504 / 2;

/** Inputs and outputs keep their types. */
export function inFloat16(graph: Graph): Graph {
  const expanded = expandComposites(graph, (node) => definitionOf(node).lower !== undefined);
  const half = new Map<Value, Value>(expanded.inputs.map((value) => [value, value.dtype === "float32" ? cast(value, "float16") : value]));
  const exact = angleNodes(expanded);
  for (const node of expanded.nodes) {
    if (exact.has(node)) {
      for (const output of node.outputs) half.set(output, output.dtype === "float32" ? cast(output, "float16") : output);
      continue;
    }
    const inputs = node.inputs.map((value) => half.get(value)!);
    const outputs = withScope(node.scope, () => halved(node.op as DefinedOp, node.outputs, inputs, node.attributes));
    node.outputs.forEach((output, index) => half.set(output, outputs[index]));
  }
  return new Graph(
    graph.inputs,
    expanded.outputs.map(({ name, value }) => ({
      name,
      value: value.dtype === "float32" ? cast(half.get(value)!, "float32") : half.get(value)!,
    })),
  );
}

/** Sines and cosines with all that they are computed from: places go up to thousands, which float16 has no fractions for. */
function angleNodes(graph: Graph): ReadonlySet<Node> {
  const found = new Set<Node>();
  const feeds = new Set<Value>();
  for (const node of [...graph.nodes].reverse()) {
    const isAngle = node.op.name === "Sin" || node.op.name === "Cos" || node.outputs.some((output) => feeds.has(output));
    if (!isAngle || constantOf(node.outputs[0]) !== undefined) continue;
    found.add(node);
    for (const input of node.inputs) feeds.add(input);
  }
  return found;
}

function halved(op: DefinedOp, outputs: readonly Value[], inputs: readonly Value[], attributes: Attributes): readonly Value[] {
  const constant = constantOf(outputs[0]);
  if (constant?.dtype === "float32") {
    const clamped = Float32Array.from(constant.data as Float32Array, (value) => Math.min(Math.max(value, -largest), largest));
    return [constantView("float16", constant.shape, toFloat16(clamped), constant.label)];
  }
  if (op.name === "Cast" && attributes.to === "float32") return [cast(inputs[0], "float16")];
  return op.apply(inputs, attributes);
}
