/**
 * Reverse-mode differentiation: one walk over the graph from the outputs to the inputs. Each op's `vjp` turns the gradient of
 * its outputs into gradients of its inputs; this walk does what is common to all: it sums the gradients of a value that is used
 * more than once, sums over axes that were broadcast, and builds nothing that no wanted gradient needs.
 */
import { LecternError } from "../../errors.js";
import { printShape, sameDimension, sameShape } from "../graph/dimension.js";
import { orderNodes } from "../graph/graph.js";
import { type Node, type Value, withScope } from "../graph/value.js";
import { add } from "../ops/arithmetic.js";
import { definitionOf } from "../ops/define-op.js";
import { sum } from "../ops/reduction.js";
import { reshape } from "../ops/shape.js";

/** A value and the gradient that flows into it: the seed of the walk. */
export interface Seed {
  readonly value: Value;
  readonly gradient: Value;
}

/**
 * The gradients of Σ seeds with respect to `wanted`, as values built on the forward graph's own; undefined for a value that
 * the seeds do not depend on. The graph must hold no op that is defined by others: run `expandComposites` first.
 * Throws NO_GRADIENT where the only way from a wanted value to the seeds leads through an op that has none.
 */
export function backward(seeds: readonly Seed[], wanted: readonly Value[]): (Value | undefined)[] {
  const nodes = orderNodes(seeds.map((seed) => seed.value));
  const needed = valuesThatNeedGradients(nodes, wanted);
  const gradients = new Map<Value, Value>();
  const accumulate = (value: Value, gradient: Value) => {
    const known = gradients.get(value);
    gradients.set(value, known === undefined ? gradient : add(known, gradient));
  };
  for (const { value, gradient } of seeds) accumulate(value, gradient);

  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((output) => needed.has(output) && gradients.has(output))) continue;
    const { vjp, differentiable } = definitionOf(node);
    const dys = node.outputs.map((output) => gradients.get(output));
    if (vjp === undefined) {
      if (differentiable === false) throw noGradient(node, needed);
      throw new Error(`internal: ${node.op.name} in ${node.scope} was not expanded before differentiation`);
    }
    withScope(node.scope, () => {
      const wants = node.inputs.map((value) => needed.has(value));
      if (dys[0] === undefined) throw new Error(`internal: ${node.op.name} has a gradient only through its side outputs`);
      const contributions = vjp({ inputs: node.inputs, outputs: node.outputs, dy: dys[0], dys, attributes: node.attributes, needed: wants });
      node.inputs.forEach((value, index) => {
        const contribution = contributions[index];
        if (wants[index] && contribution !== undefined) accumulate(value, sumToShape(contribution, value));
      });
    });
  }
  return wanted.map((value) => gradients.get(value));
}

/** The values that lie on a way from a wanted one: only they get gradients. */
function valuesThatNeedGradients(nodes: readonly Node[], wanted: readonly Value[]): Set<Value> {
  const needed = new Set(wanted);
  for (const node of nodes) {
    if (!node.inputs.some((value) => needed.has(value))) continue;
    for (const output of node.outputs) if (output.dtype === "float32") needed.add(output);
  }
  return needed;
}

/** The gradient of a broadcast: summed over the axes that were added or stretched. */
function sumToShape(gradient: Value, { shape }: Value): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const added = gradient.rank - shape.length;
  const axes = gradient.shape.flatMap((dimension, axis) =>
    axis < added || (shape[axis - added] === 1 && !sameDimension(dimension, 1)) ? [axis] : [],
  );
  if (added < 0) throw new Error(`internal: a gradient of shape ${printShape(gradient.shape)} for a value of shape ${printShape(shape)}`);
  return reshape(sum(gradient, axes), shape);
}

function noGradient(node: Node, needed: ReadonlySet<Value>): LecternError {
  const path = [`${node.op.name}${node.scope === "" ? "" : ` in ${node.scope}`}`];
  let at: Value | undefined = node.inputs.find((value) => needed.has(value));
  while (at !== undefined) {
    path.push(at.node === undefined ? `input ${at.name}` : `${at.node.op.name}${at.node.scope === "" ? "" : ` in ${at.node.scope}`}`);
    at = at.node?.inputs.find((value) => needed.has(value));
  }
  return new LecternError("NO_GRADIENT", {
    message: `${node.op.name} has no gradient, but the loss depends on ${path.at(-1)} only through it.`,
    expected: "differentiable ops on every way from the loss to a trainable value",
    received: path.join(" ← "),
    next: "freeze the parameter, or build the layer from ops that have a gradient",
  });
}
