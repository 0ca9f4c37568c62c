/**
 * Integer arithmetic for inference (ONNX's DynamicQuantizeLinear, QuantizeLinear and MatMulInteger): activations as uint8 around a zero
 * point, weights as int8 around 0 with a scale for each output, products summed exactly as int32 and scaled back to float32.
 */
import type { Value } from "../graph/value.js";
import { defineOp, requireSame, requireType } from "./define-op.js";
import { tensorOf } from "./sample.js";

export const DynamicQuantizeLinear = defineOp({
  name: "DynamicQuantizeLinear",
  infer: ([x]) => {
    requireType(x, ["float32"], "x");
    return [
      { dtype: "uint8", shape: x.shape },
      { dtype: "float32", shape: [] },
      { dtype: "uint8", shape: [] },
    ];
  },
  differentiable: false,
  sample: (random) => [{ inputs: [random.normal([2, 3, 4])] }, { inputs: [random.normal([1, 5])] }],
});

export const QuantizeLinear = defineOp({
  name: "QuantizeLinear",
  infer: ([x, scale, zero]) => {
    requireType(x, ["float32"], "x");
    requireType(scale, ["float32"], "the scale");
    requireType(zero, ["uint8"], "the zero point");
    return [{ dtype: "uint8", shape: x.shape }];
  },
  differentiable: false,
  sample: (random) => [{ inputs: [random.normal([2, 3]), tensorOf("float32", [], [0.05]), tensorOf("uint8", [], [100])] }],
});

/** Integers that stand for scale·(integer − zero): the activations of a quantised product. */
export interface Quantised {
  /** uint8 */
  readonly values: Value;
  /** float32 [] */
  readonly scale: Value;
  /** uint8 [] */
  readonly zero: Value;
}

/** x as uint8, with the scale that its own smallest and largest element ask for. */
export function dynamicallyQuantised(x: Value): Quantised {
  const [values, scale, zero] = DynamicQuantizeLinear.apply([x]);
  return { values, scale, zero };
}

/** x as uint8 with a scale and zero point fixed beforehand; what lies beyond their range is cut off. */
export function quantised(x: Value, scale: Value, zero: Value): Quantised {
  return { values: QuantizeLinear.apply([x, scale, zero])[0], scale, zero };
}

export const QuantisedLinear = defineOp({
  name: "QuantisedLinear",
  infer: ([x, weight, , weightScale, , bias]) => {
    requireType(x, ["uint8"], "x");
    requireType(weight, ["int8"], "the weight");
    requireSame(x.shape[x.rank - 1], weight.shape[0], "the input's last dimension and the weight's first");
    for (const vector of [weightScale, bias])
      if (vector !== undefined) requireSame(vector.shape[0], weight.shape[1], "a vector and the weight's last dimension");
    return [{ dtype: "float32", shape: [...x.shape.slice(0, -1), weight.shape[1]] }];
  },
  differentiable: false,
  lower: (emit, [x, weight, scale, weightScale, zero, bias]) => {
    if (emit.fused) {
      const inputs = [x, weight, scale, weightScale, zero, "", ...(bias === undefined ? [] : [bias])];
      return [emit.node("MatMulIntegerToFloat", inputs, { domain: "com.microsoft" })];
    }
    const sums = emit.node("Cast", [emit.node("MatMulInteger", [x, weight, zero])], { attributes: { to: 1 } });
    const product = emit.node("Mul", [sums, emit.node("Mul", [scale, weightScale])]);
    return [bias === undefined ? product : emit.node("Add", [product, bias])];
  },
  sample: (random) => {
    const bytes = (dtype: "uint8" | "int8", shape: number[], from: number) => {
      const { data } = random.integers(shape, 255);
      return tensorOf(
        dtype,
        shape,
        data.map((value) => value + from),
      );
    };
    const rest = (width: number) => [tensorOf("float32", [], [0.02]), random.uniform([width], 0.01, 0.02), tensorOf("uint8", [], [120])];
    return [
      { inputs: [bytes("uint8", [2, 3, 4], 0), bytes("int8", [4, 5], -127), ...rest(5), random.normal([5])] },
      { inputs: [bytes("uint8", [3, 4], 0), bytes("int8", [4, 2], -127), ...rest(2)] },
    ];
  },
});

/** x·W + b in integers: x [..., in], weight int8 [in, out] with `weightScale` [out], bias [out] → float32 [..., out]. */
export function quantisedLinear({ values, scale, zero }: Quantised, weight: Value, weightScale: Value, bias?: Value): Value {
  return QuantisedLinear.apply([values, weight, scale, weightScale, zero, ...(bias === undefined ? [] : [bias])])[0];
}
