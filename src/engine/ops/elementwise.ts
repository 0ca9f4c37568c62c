/** Functions of one tensor, element by element; the equation of each gradient stands behind it. */
import type { Value } from "../graph/value.js";
import { div, mul, sub } from "./arithmetic.js";
import { greater } from "./comparison.js";
import { type DefinedOp, defineOp } from "./define-op.js";
import type { SampleRandom } from "./sample.js";
import { where } from "./select.js";

type UnaryRule = (dy: Value, x: Value, y: Value) => Value;
type Range = readonly [low: number, high: number];

function defineUnary(name: string, rule: UnaryRule, range: Range = [-2, 2]): DefinedOp {
  return defineOp({
    name,
    infer: ([x]) => [x],
    vjp: ({ dy, inputs: [x], outputs: [y] }) => [rule(dy, x, y)],
    cost: "elementwise",
    sample: (random: SampleRandom) => [[2, 3], [1], [], [0, 2]].map((shape) => ({ inputs: [random.uniform(shape, ...range)] })),
  });
}

export const Neg = defineUnary("Neg", (dy) => neg(dy));
export const Exp = defineUnary("Exp", (dy, _, y) => mul(dy, y)); // d eˣ = eˣ dx
export const Log = defineUnary("Log", (dy, x) => div(dy, x), [0.5, 2]); // d ln x = dx / x
export const Sqrt = defineUnary("Sqrt", (dy, _, y) => div(mul(dy, 0.5), y), [0.5, 2]); // d √x = dx / 2√x
export const Reciprocal = defineUnary("Reciprocal", (dy, _, y) => neg(mul(dy, square(y))), [0.5, 2]); // d 1/x = −dx/x²
export const Abs = defineUnary("Abs", (dy, x) => where(greater(x, 0), dy, neg(dy)), [0.5, 2]);
export const Erf = defineUnary("Erf", (dy, x) => mul(dy, mul(2 / Math.sqrt(Math.PI), exp(neg(square(x)))))); // d erf x = 2/√π · e^(−x²) dx
export const Tanh = defineUnary("Tanh", (dy, _, y) => mul(dy, sub(1, square(y)))); // d tanh x = (1 − tanh² x) dx
export const Sigmoid = defineUnary("Sigmoid", (dy, _, y) => mul(dy, mul(y, sub(1, y)))); // d σ = σ(1 − σ) dx
export const Relu = defineUnary("Relu", (dy, _, y) => where(greater(y, 0), dy, 0), [0.5, 2]);
export const Sin = defineUnary("Sin", (dy, x) => mul(dy, cos(x)));
export const Cos = defineUnary("Cos", (dy, x) => neg(mul(dy, sin(x))));

const unary = (op: DefinedOp) => (x: Value): Value => op.apply([x])[0];

export const neg = unary(Neg);
export const exp = unary(Exp);
export const log = unary(Log);
export const sqrt = unary(Sqrt);
export const reciprocal = unary(Reciprocal);
export const abs = unary(Abs);
export const erf = unary(Erf);
export const tanh = unary(Tanh);
export const sigmoid = unary(Sigmoid);
export const relu = unary(Relu);
export const sin = unary(Sin);
export const cos = unary(Cos);

/** x² */
export function square(x: Value): Value {
  return mul(x, x);
}
