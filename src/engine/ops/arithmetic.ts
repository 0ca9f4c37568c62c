/** Elementwise arithmetic of two tensors with numpy's broadcasting. The backward walk sums gradients over broadcast axes. */
import type { Attributes, Value } from "../graph/value.js";
import { less } from "./comparison.js";
import { operands, type Operand } from "./constant.js";
import { broadcastShapes, type DefinedOp, defineOp, type GradientContext, ShapeError } from "./define-op.js";
import { log, neg } from "./elementwise.js";
import type { SampleCase, SampleRandom } from "./sample.js";
import { where } from "./select.js";

type BinaryRule = (context: GradientContext<Attributes>, a: Value, b: Value, dy: Value) => [Value, Value];

function defineBinary(name: string, rule: BinaryRule, sampleB?: (random: SampleRandom, shape: number[]) => SampleCase["inputs"][number]): DefinedOp {
  return defineOp({
    name,
    infer: ([a, b]) => {
      if (a.dtype !== b.dtype) throw new ShapeError(`operands should have one type, got ${a.dtype} and ${b.dtype}`);
      return [{ dtype: a.dtype, shape: broadcastShapes(a.shape, b.shape) }];
    },
    vjp: (context) => rule(context, context.inputs[0], context.inputs[1], context.dy),
    cost: "elementwise",
    sample: (random) => binarySamples(random, sampleB),
  });
}

/** Equal shapes, broadcasting on either side, scalars, size-1 and empty dimensions. */
export function binarySamples(random: SampleRandom, second = (r: SampleRandom, shape: number[]) => r.normal(shape)): SampleCase[] {
  const pairs: [number[], number[]][] = [
    [[2, 3], [2, 3]],
    [[2, 3], [3]],
    [[2, 1, 3], [4, 1]],
    [[], [2, 2]],
    [[1], [1]],
    [[0, 3], [1, 3]],
  ];
  return pairs.map(([a, b]) => ({ inputs: [random.uniform(a, 0.5, 2), second(random, b)] }));
}

export const Add = defineBinary("Add", (_, _a, _b, dy) => [dy, dy]);
export const Sub = defineBinary("Sub", (_, _a, _b, dy) => [dy, neg(dy)]);
export const Mul = defineBinary("Mul", (_, a, b, dy) => [mul(dy, b), mul(dy, a)]);
export const Div = defineBinary(
  "Div",
  ({ outputs: [y] }, _a, b, dy) => [div(dy, b), neg(div(mul(dy, y), b))], // d(a/b)/db = −(a/b)/b
  (random, shape) => random.uniform(shape, 0.5, 2),
);
export const Pow = defineBinary(
  "Pow",
  ({ outputs: [y] }, a, b, dy) => [mul(dy, mul(b, pow(a, sub(b, 1)))), mul(dy, mul(y, log(a)))], // aᵇ: b·aᵇ⁻¹ and aᵇ·ln a
);
export const Max = defineBinary("Max", (_, a, b, dy) => [where(less(a, b), 0, dy), where(less(a, b), dy, 0)]);
export const Min = defineBinary("Min", (_, a, b, dy) => [where(less(b, a), 0, dy), where(less(b, a), dy, 0)]);

const binary = (op: DefinedOp) => (a: Operand, b: Operand): Value => op.apply(operands(a, b))[0];

/** a + b */
export const add = binary(Add);
/** a − b */
export const sub = binary(Sub);
/** a · b, elementwise */
export const mul = binary(Mul);
/** a / b, elementwise */
export const div = binary(Div);
/** aᵇ, elementwise, for a > 0 */
export const pow = binary(Pow);
/** The larger of each pair. */
export const maximum = binary(Max);
/** The smaller of each pair. */
export const minimum = binary(Min);

/** x, but not less than `low` nor more than `high`; no gradient where it is cut. */
export function clamp(x: Value, low: number, high: number): Value {
  return minimum(maximum(x, low), high);
}

/** a + b + c + … */
export function addAll(first: Value, ...rest: Value[]): Value {
  return rest.reduce((sum, value) => add(sum, value), first);
}
