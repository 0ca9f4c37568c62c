/** Activation functions made of other functions. */
import type { Value } from "../graph/value.js";
import { add, mul } from "./arithmetic.js";
import { defineOp } from "./define-op.js";
import { erf, exp, sigmoid, square, tanh } from "./elementwise.js";
import type { SampleRandom } from "./sample.js";

const samples = (random: SampleRandom) => [[2, 3], [1], [0, 2]].map((shape) => ({ inputs: [random.uniform(shape, -2, 2)] }));

export const Gelu = defineOp({
  name: "Gelu",
  infer: ([x]) => [x],
  // y = x·Φ(x): dy/dx = Φ(x) + x·φ(x), with Φ(x) = ½(1 + erf(x/√2)) and φ(x) = e^(−x²/2)/√2π
  vjp: ({ dy, inputs: [x] }) => [mul(dy, add(normalCdf(x), mul(x, mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)))))],
  cost: "elementwise",
  lower: (emit, [x], { inputs: [{ dtype }] }) => {
    if (emit.fused) return [emit.node("Gelu", [x], { domain: "com.microsoft" })];
    // In the form that PyTorch exports: ONNX Runtime knows it and computes it in one pass.
    const grown = emit.node("Add", [emit.node("Erf", [emit.node("Div", [x, emit.float(Math.SQRT2, dtype)])]), emit.float(1, dtype)]);
    return [emit.node("Mul", [emit.node("Mul", [x, grown]), emit.float(0.5, dtype)])];
  },
  sample: samples,
});

/** The standard normal distribution function, ½(1 + erf(x/√2)). */
function normalCdf(x: Value): Value {
  return mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
}

/** x·Φ(x), the exact GELU (Hendrycks & Gimpel 2016). */
export function gelu(x: Value): Value {
  return Gelu.apply([x])[0];
}

export const GeluTanh = defineOp({
  name: "GeluTanh",
  infer: ([x]) => [x],
  expand: ([x]) => {
    const inner = mul(mul(x, add(mul(square(x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
    return [mul(mul(x, 0.5), add(tanh(inner), 1))];
  },
  cost: "elementwise",
  sample: samples,
});

/** ½x(1 + tanh(√(2/π)(x + 0.044715x³))), the approximation of GELU that GPT-2 and T5 1.1 use (`gelu_new`). */
export function geluTanh(x: Value): Value {
  return GeluTanh.apply([x])[0];
}

export const Silu = defineOp({
  name: "Silu",
  infer: ([x]) => [x],
  expand: ([x]) => [mul(x, sigmoid(x))],
  cost: "elementwise",
  sample: samples,
});

/** x·σ(x) */
export function silu(x: Value): Value {
  return Silu.apply([x])[0];
}
