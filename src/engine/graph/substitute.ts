/** Cuts a graph open: values are replaced by others, and what is above them is left behind. */
import { Node, type Value } from "./value.js";

/** `outputs` built again on replacements: nothing above a replaced value is kept. */
export function substitute(outputs: readonly Value[], replacements: ReadonlyMap<Value, Value>): Value[] {
  const rebuilt = new Map<Value, Value>(replacements);
  const visit = (value: Value): Value => {
    const known = rebuilt.get(value);
    if (known !== undefined) return known;
    const { node } = value;
    if (node === undefined) return value;
    const inputs = node.inputs.map(visit);
    const copy = inputs.every((input, index) => input === node.inputs[index]) ? node : new Node(node.op, inputs, node.attributes, node.scope, node.outputs);
    node.outputs.forEach((output, index) => {
      if (!rebuilt.has(output)) rebuilt.set(output, copy.outputs[index]);
    });
    return rebuilt.get(value)!;
  };
  return outputs.map(visit);
}
