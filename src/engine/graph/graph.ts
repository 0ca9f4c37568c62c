/** A graph: named inputs and named outputs, and everything between them in an order in which it can be computed. */
import { printShape } from "./dimension.js";
import type { Node, Value } from "./value.js";

export class Graph {
  /** Every node that some output needs, each after the nodes it reads from. */
  readonly nodes: readonly Node[];

  constructor(
    readonly inputs: readonly Value[],
    readonly outputs: readonly { readonly name: string; readonly value: Value }[],
  ) {
    this.nodes = orderNodes(outputs.map((output) => output.value));
    const known = new Set(inputs);
    const names = new Set<string>();
    for (const value of inputs) {
      if (value.node !== undefined || value.name === undefined) throw new Error(`internal: graph input ${value} is not an input value`);
      if (names.has(value.name)) throw new Error(`internal: two graph inputs are named ${value.name}`);
      names.add(value.name);
    }
    for (const node of this.nodes) {
      for (const value of node.inputs) {
        if (value.node === undefined && !known.has(value)) {
          throw new Error(`internal: ${node.op.name} in ${node.scope || "the graph"} reads ${value}, which is not among the graph's inputs`);
        }
      }
    }
  }

  /** One line a node, `%n: dtype[shape] = Op(inputs) {attributes}`; snapshots of tests pin it. */
  toString(): string {
    const names = new Map<Value, string>(this.inputs.map((value) => [value, value.name!]));
    const lines = this.inputs.map((value) => `input ${value.name}: ${value.dtype}${printShape(value.shape)}`);
    let next = 0;
    for (const node of this.nodes) {
      for (const output of node.outputs) names.set(output, `%${next++}`);
      const attributes = Object.entries(node.attributes)
        .filter(([, attribute]) => attribute !== undefined)
        .map(([key, attribute]) => `${key}=${printAttribute(attribute)}`);
      const results = node.outputs.map((output) => `${names.get(output)}: ${output.dtype}${printShape(output.shape)}`).join(", ");
      const operands = node.inputs.map((value) => names.get(value)).join(", ");
      lines.push(`${results} = ${node.op.name}(${operands})${attributes.length > 0 ? ` {${attributes.join(", ")}}` : ""}`);
    }
    for (const { name, value } of this.outputs) lines.push(`output ${name} = ${names.get(value)}`);
    return lines.join("\n");
  }
}

/** The nodes that `outputs` depend on, producers first; independent of recursion depth. */
export function orderNodes(outputs: readonly Value[]): Node[] {
  const order: Node[] = [];
  const state = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  const enter = (value: Value) => {
    if (value.node !== undefined && !state.has(value.node)) {
      state.add(value.node);
      stack.push({ node: value.node, next: 0 });
    }
  };
  for (const output of outputs) {
    enter(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.node.inputs.length) enter(top.node.inputs[top.next++]);
      else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}

function printAttribute(attribute: unknown): string {
  if (ArrayBuffer.isView(attribute)) {
    const data = attribute as unknown as ArrayLike<number | bigint>;
    return data.length <= 4 ? `[${Array.from(data, String).join(", ")}]` : `<${data.length} elements>`;
  }
  return Array.isArray(attribute) ? `[${attribute.join(", ")}]` : String(attribute);
}
