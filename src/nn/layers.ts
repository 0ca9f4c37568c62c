/** Layers: functions of a block's scope, the name of the layer's parameters in it, and values. */
import type { BlockScope } from "../engine/block/block.js";
import { add, embedding as lookup, gelu, geluTanh, layerNorm, linear, mul, relu, silu, type Value } from "../engine/index.js";

/** x·Wᵀ + b: [..., in] → [..., out]; the bias is left out where none is declared. */
export function dense({ parameters }: BlockScope, name: string, x: Value): Value {
  return linear(x, parameters[`${name}.weight`], parameters[`${name}.bias`]);
}

/** Layer normalisation over the last axis; the bias is left out where none is declared. */
export function norm({ parameters }: BlockScope, name: string, x: Value, epsilon: number): Value {
  return layerNorm(x, parameters[`${name}.weight`], parameters[`${name}.bias`], epsilon);
}

/** x∘g + b over the last axis: a norm's parameters without its statistics, MobileBERT's NoNorm. */
export function scaleAndShift({ parameters }: BlockScope, name: string, x: Value): Value {
  return add(mul(x, parameters[`${name}.weight`]), parameters[`${name}.bias`]);
}

/** Rows of a table: ids [...] → [..., width]. The row of `padding`, where there is one, is read but never trained, as in PyTorch. */
export function embedding({ parameters }: BlockScope, name: string, ids: Value, padding?: number): Value {
  return lookup(parameters[`${name}.weight`], ids, padding);
}

/** Activation functions by the names that config.json uses. */
export const activations = { gelu, gelu_new: geluTanh, gelu_pytorch_tanh: geluTanh, relu, silu, swish: silu } as const;
export type ActivationName = keyof typeof activations;
