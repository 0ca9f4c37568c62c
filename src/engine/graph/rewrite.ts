/** Graph transformations that are local: every node in turn is kept, or replaced by other values. */
import { definitionOf } from "../ops/define-op.js";
import { Graph } from "./graph.js";
import { type Attribute, Node, type Value, withScope } from "./value.js";

/**
 * A new graph in which `rule` has replaced nodes. The rule sees a node with its inputs already rewritten and answers with
 * values for the node's outputs, or undefined to keep it. `original` is the node as it stands in the graph given.
 */
export function rewriteGraph(graph: Graph, rule: (node: Node, original: Node) => readonly Value[] | undefined): Graph {
  const replaced = new Map<Value, Value>();
  const current = (value: Value) => replaced.get(value) ?? value;
  for (const original of graph.nodes) {
    const inputs = original.inputs.map(current);
    const node = inputs.every((value, index) => value === original.inputs[index])
      ? original
      : new Node(original.op, inputs, original.attributes, original.scope, original.outputs);
    const outputs = rule(node, original) ?? node.outputs;
    original.outputs.forEach((output, index) => {
      if (outputs[index] !== output) replaced.set(output, outputs[index]);
    });
  }
  return new Graph(
    graph.inputs,
    graph.outputs.map(({ name, value }) => ({ name, value: current(value) })),
  );
}

/** Ops that are defined by others, replaced by their definitions; `keep` names those to leave as they are. */
export function expandComposites(graph: Graph, keep: (node: Node) => boolean = () => false): Graph {
  let changed = false;
  const expanded = rewriteGraph(graph, (node) => {
    const { expand } = definitionOf(node);
    if (expand === undefined || keep(node)) return undefined;
    changed = true;
    return withScope(node.scope, () => expand(node.inputs, node.attributes));
  });
  return changed ? expandComposites(expanded, keep) : expanded;
}

/** Nodes that compute the same thing from the same values, made one. */
export function mergeDuplicates(graph: Graph): Graph {
  const numbers = new Map<Value, number>();
  const known = new Map<string, Node>();
  const numberOf = (value: Value) => {
    if (!numbers.has(value)) numbers.set(value, numbers.size);
    return numbers.get(value)!;
  };
  return rewriteGraph(graph, (node) => {
    const attributes = Object.entries(node.attributes).map(([key, attribute]) => `${key}=${attributeKey(attribute)}`);
    const key = `${node.op.name}(${node.inputs.map(numberOf).join(",")}){${attributes.join(",")}}${node.outputs[0]?.dtype}`;
    const twin = known.get(key);
    if (twin === undefined) known.set(key, node);
    return twin?.outputs;
  });
}

/** Constants above this size are equal only where they are the same array: weights are not compared element by element. */
const comparedElements = 4096;
const arrayNumbers = new WeakMap<object, number>();
let arrays = 0;

function attributeKey(attribute: Attribute): string {
  if (ArrayBuffer.isView(attribute) && attribute.length > comparedElements) {
    if (!arrayNumbers.has(attribute)) arrayNumbers.set(attribute, arrays++);
    return `array ${arrayNumbers.get(attribute)}`;
  }
  return ArrayBuffer.isView(attribute) ? `${attribute.constructor.name}:${Array.from(attribute as Float32Array, String).join(" ")}` : String(attribute);
}
