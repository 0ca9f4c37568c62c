/**
 * What an op is. One `defineOp` block holds all that is known of it: how its output types follow from its inputs, its
 * gradient (`vjp`, a vector-Jacobian product built from other ops) or its definition in terms of other ops (`expand`, whose
 * gradient then comes free), how it is written as ONNX, and sample inputs that the contract test runs it on.
 */
import { LecternError } from "../../errors.js";
import type { Dimension, Shape } from "../graph/dimension.js";
import { printShape, sameDimension } from "../graph/dimension.js";
import type { OnnxEmitter } from "../graph/onnx-emitter.js";
import { type Attributes, type DataType, Node, type Op, scopeNow, type TensorType, type Value } from "../graph/value.js";
import type { SampleCase, SampleRandom } from "./sample.js";

export interface GradientContext<A extends Attributes> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** The gradient of the first output. */
  readonly dy: Value;
  /** The gradient of each output; undefined where the loss does not depend on it. */
  readonly dys: readonly (Value | undefined)[];
  readonly attributes: A;
  /** Which inputs need a gradient; the others' may be left undefined, which saves building them. */
  readonly needed: readonly boolean[];
}

/** How dear it is to compute a value again instead of keeping it: nothing (a view), one pass over memory, or more. */
export type Cost = "view" | "elementwise" | "heavy";

interface CommonDefinition<A extends Attributes> {
  readonly name: string;
  /** Types of the outputs; throws `ShapeError` with what was expected. */
  readonly infer: (inputs: readonly Value[], attributes: A) => TensorType[];
  /** ONNX nodes for this op; the default is the ONNX op of the same name with the same attributes. */
  readonly lower?: (emit: OnnxEmitter, inputs: readonly string[], node: Node & { readonly attributes: A }) => string[];
  /** ONNX Runtime's own operator for an op that is otherwise written as `expand` says. */
  readonly lowerFused?: (emit: OnnxEmitter, inputs: readonly string[], node: Node & { readonly attributes: A }) => string[];
  readonly cost?: Cost;
  /** Inputs for the contract test: shapes it must handle, empty and size-1 dimensions included. */
  readonly sample: (random: SampleRandom) => SampleCase[];
}

/** Exactly one of the gradient, the definition by other ops, or the statement that it has no gradient. */
type GradientRule<A extends Attributes> =
  | { readonly vjp: (context: GradientContext<A>) => (Value | undefined)[]; readonly expand?: never; readonly differentiable?: never }
  | { readonly expand: (inputs: readonly Value[], attributes: A) => Value[]; readonly vjp?: never; readonly differentiable?: never }
  | { readonly differentiable: false; readonly vjp?: never; readonly expand?: never };

export type OpDefinition<A extends Attributes = Attributes> = CommonDefinition<A> & GradientRule<A>;

export interface DefinedOp<A extends Attributes = Attributes> extends Op {
  readonly definition: OpDefinition<A>;
  apply(inputs: readonly Value[], attributes?: A): readonly Value[];
}

const registry = new Map<string, DefinedOp>();

/**
 * Declares an op.
 * @throws LecternError EXTENSION_INVALID where an op of that name is there already
 * @example
 * const Softplus = defineOp({ name: "Softplus", infer: ([x]) => [x], vjp: ({ dy, inputs: [x] }) => [mul(dy, sigmoid(x))], sample });
 * const y = Softplus.apply([x])[0];
 */
export function defineOp<A extends Attributes = Attributes>(definition: OpDefinition<A>): DefinedOp<A> {
  if (registry.has(definition.name)) {
    throw new LecternError("EXTENSION_INVALID", {
      message: `An op cannot be called ${JSON.stringify(definition.name)}: there is one of that name.`,
      next: "Give it another name, and say in `lower` which ONNX operators it is.",
    });
  }
  const op: DefinedOp<A> = {
    name: definition.name,
    definition,
    apply(inputs, attributes = {} as A) {
      const scope = scopeNow();
      let types: TensorType[];
      try {
        types = definition.infer(inputs, attributes);
      } catch (error) {
        if (!(error instanceof ShapeError)) throw error;
        throw new ShapeError(`${error.message}\n  op: ${definition.name}(${inputs.join(", ")})${scope === "" ? "" : `\n  in: ${scope}`}`);
      }
      return new Node(op, inputs, attributes, scope, types).outputs;
    },
  };
  registry.set(definition.name, op as unknown as DefinedOp);
  return op;
}

/** Every op there is, for the contract test. */
export function allOps(): DefinedOp[] {
  return [...registry.values()];
}

/** The definition behind a node. */
export function definitionOf(node: Node): OpDefinition {
  return (node.op as DefinedOp).definition;
}

/** Inputs that do not fit together, found when the graph is built. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

export function requireRank(value: Value, rank: number, what: string): void {
  if (value.rank !== rank) throw new ShapeError(`${what} should have rank ${rank}, got ${printShape(value.shape)}`);
}

export function requireType(value: Value, dtypes: readonly DataType[], what: string): void {
  if (!dtypes.includes(value.dtype)) throw new ShapeError(`${what} should be ${dtypes.join(" or ")}, got ${value.dtype}`);
}

export function requireSame(a: Dimension, b: Dimension, what: string): void {
  if (!sameDimension(a, b)) throw new ShapeError(`${what} should be equal, got ${a} and ${b}`);
}

/** An axis counted from the end where negative, checked. */
export function resolveAxis(axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) throw new ShapeError(`axis should lie in [-${rank}, ${rank}), got ${axis}`);
  return resolved;
}

/** The shape that numpy-style broadcasting gives; throws when two dimensions differ and neither is 1. */
export function broadcastShapes(...shapes: Shape[]): Dimension[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dimension = 1;
    for (const shape of shapes) {
      const dimension = shape[axis - rank + shape.length] ?? 1;
      if (dimension === 1) continue;
      if (result !== 1 && !sameDimension(result, dimension)) {
        throw new ShapeError(`shapes should broadcast, got ${shapes.map(printShape).join(" and ")}: ${result} and ${dimension} differ`);
      }
      result = dimension;
    }
    return result;
  });
}
