/** Softmax and log-softmax over the last axis. */
import type { Value } from "../graph/value.js";
import { mul, sub } from "./arithmetic.js";
import { defineOp } from "./define-op.js";
import { exp } from "./elementwise.js";
import { sum } from "./reduction.js";
import type { SampleRandom } from "./sample.js";

const samples = (random: SampleRandom) => [[2, 3, 5], [1, 4], [3, 1], [0, 3]].map((shape) => ({ inputs: [random.normal(shape)] }));

export const Softmax = defineOp({
  name: "Softmax",
  infer: ([x]) => [x],
  vjp: ({ dy, outputs: [y] }) => [mul(y, sub(dy, sum(mul(dy, y), [-1], { keepDimensions: true })))], // dx = y∘(dy − Σ dy∘y)
  cost: "heavy",
  lower: (emit, [x]) => [emit.node("Softmax", [x], { attributes: { axis: -1 } })],
  sample: samples,
});

/** eˣ / Σ eˣ over the last axis */
export function softmax(x: Value): Value {
  return Softmax.apply([x])[0];
}

export const LogSoftmax = defineOp({
  name: "LogSoftmax",
  infer: ([x]) => [x],
  vjp: ({ dy, outputs: [y] }) => [sub(dy, mul(exp(y), sum(dy, [-1], { keepDimensions: true })))], // dx = dy − softmax(x)·Σ dy
  cost: "heavy",
  lower: (emit, [x]) => [emit.node("LogSoftmax", [x], { attributes: { axis: -1 } })],
  sample: samples,
});

/** x − ln Σ eˣ over the last axis */
export function logSoftmax(x: Value): Value {
  return LogSoftmax.apply([x])[0];
}
