/** Layer normalisation (Ba et al. 2016) and root-mean-square normalisation (Zhang & Sennrich 2019) over the last axis. */
import type { Value } from "../graph/value.js";
import { add, mul, sub } from "./arithmetic.js";
import { defineOp, requireSame } from "./define-op.js";
import { reciprocal, sqrt, square } from "./elementwise.js";
import { mean, sum } from "./reduction.js";

type NormalisationAttributes = { readonly epsilon: number };

export const LayerNormalization = defineOp<NormalisationAttributes>({
  name: "LayerNormalization",
  infer: ([x, gain, bias]) => {
    requireSame(gain.shape[0], x.shape[x.rank - 1], "the gain and the last dimension");
    if (bias !== undefined) requireSame(bias.shape[0], x.shape[x.rank - 1], "the bias and the last dimension");
    const statistics = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] };
    return [x, statistics, statistics];
  },
  // x̂ = (x − μ)/σ, y = g∘x̂ + b: dg = Σ dy∘x̂, db = Σ dy, dx = (dx̂ − mean dx̂ − x̂·mean(dx̂∘x̂))/σ with dx̂ = dy∘g
  vjp: ({ dy, inputs: [x, gain, bias], outputs: [, centre, inverseDeviation] }) => {
    const leading = x.shape.slice(0, -1).map((_, axis) => axis);
    const normalised = mul(sub(x, centre), inverseDeviation);
    const dNormalised = mul(dy, gain);
    const shared = add(mean(dNormalised, [-1], { keepDimensions: true }), mul(normalised, mean(mul(dNormalised, normalised), [-1], { keepDimensions: true })));
    return [
      mul(sub(dNormalised, shared), inverseDeviation),
      sum(mul(dy, normalised), leading),
      ...(bias === undefined ? [] : [sum(dy, leading)]),
    ];
  },
  cost: "heavy",
  lower: (emit, inputs, { attributes: { epsilon } }) =>
    emit.nodes("LayerNormalization", inputs, { outputs: 3, attributes: { axis: -1, epsilon: { float: epsilon } } }),
  sample: (random) => [
    { inputs: [random.normal([2, 3, 4]), random.normal([4]), random.normal([4])], attributes: { epsilon: 1e-5 } },
    { inputs: [random.normal([1, 5]), random.normal([5]), random.normal([5])], attributes: { epsilon: 1e-3 } },
    { inputs: [random.normal([2, 3]), random.normal([3])], attributes: { epsilon: 1e-3 } },
    { inputs: [random.normal([0, 3]), random.normal([3]), random.normal([3])], attributes: { epsilon: 1e-3 } },
  ],
});

/** (x − mean)/√(variance + ε)·gain + bias over the last axis. */
export function layerNorm(x: Value, gain: Value, bias: Value | undefined, epsilon: number): Value {
  return LayerNormalization.apply(bias === undefined ? [x, gain] : [x, gain, bias], { epsilon })[0];
}

export const RmsNormalization = defineOp<NormalisationAttributes>({
  name: "RmsNormalization",
  infer: ([x, gain]) => {
    requireSame(gain.shape[0], x.shape[x.rank - 1], "the gain and the last dimension");
    return [x];
  },
  expand: ([x, gain], { epsilon }) => [mul(mul(x, reciprocal(sqrt(add(mean(square(x), [-1], { keepDimensions: true }), epsilon)))), gain)],
  cost: "heavy",
  sample: (random) => [
    { inputs: [random.normal([2, 3, 4]), random.normal([4])], attributes: { epsilon: 1e-6 } },
    { inputs: [random.normal([1, 2]), random.normal([2])], attributes: { epsilon: 1e-3 } },
    { inputs: [random.normal([0, 3]), random.normal([3])], attributes: { epsilon: 1e-3 } },
  ],
});

/** x/√(mean x² + ε)·gain over the last axis. */
export function rmsNorm(x: Value, gain: Value, epsilon: number): Value {
  return RmsNormalization.apply([x, gain], { epsilon })[0];
}
