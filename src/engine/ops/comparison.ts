/** Comparisons and Boolean algebra; their results are bool and carry no gradient. */
import type { Value } from "../graph/value.js";
import { binarySamples } from "./arithmetic.js";
import { operands, type Operand } from "./constant.js";
import { broadcastShapes, type DefinedOp, defineOp, requireType, ShapeError } from "./define-op.js";

function defineComparison(name: string): DefinedOp {
  return defineOp({
    name,
    infer: ([a, b]) => {
      if (a.dtype !== b.dtype) throw new ShapeError(`operands should have one type, got ${a.dtype} and ${b.dtype}`);
      return [{ dtype: "bool", shape: broadcastShapes(a.shape, b.shape) }];
    },
    differentiable: false,
    cost: "elementwise",
    sample: (random) => binarySamples(random),
  });
}

function defineLogical(name: "And" | "Or"): DefinedOp {
  return defineOp({
    name,
    infer: ([a, b]) => {
      for (const value of [a, b]) requireType(value, ["bool"], "operand");
      return [{ dtype: "bool", shape: broadcastShapes(a.shape, b.shape) }];
    },
    differentiable: false,
    cost: "elementwise",
    sample: (random) => [{ inputs: [random.booleans([2, 3]), random.booleans([3])] }],
  });
}

export const Equal = defineComparison("Equal");
export const Less = defineComparison("Less");
export const LessOrEqual = defineComparison("LessOrEqual");
export const Greater = defineComparison("Greater");
export const GreaterOrEqual = defineComparison("GreaterOrEqual");
export const And = defineLogical("And");
export const Or = defineLogical("Or");
export const Not = defineOp({
  name: "Not",
  infer: ([x]) => {
    requireType(x, ["bool"], "operand");
    return [x];
  },
  differentiable: false,
  cost: "elementwise",
  sample: (random) => [{ inputs: [random.booleans([2, 3])] }],
});

const compare = (op: DefinedOp) => (a: Operand, b: Operand): Value => op.apply(operands(a, b))[0];

export const equal = compare(Equal);
export const less = compare(Less);
export const lessOrEqual = compare(LessOrEqual);
export const greater = compare(Greater);
export const greaterOrEqual = compare(GreaterOrEqual);
export const and = (a: Value, b: Value): Value => And.apply([a, b])[0];
export const or = (a: Value, b: Value): Value => Or.apply([a, b])[0];
export const not = (x: Value): Value => Not.apply([x])[0];
