/** Sample inputs of ops for the contract test: small tensors from a seeded generator. */
import type { Shape } from "../graph/dimension.js";
import type { Attributes, DataType, Value } from "../graph/value.js";

export interface SampleTensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: number[];
}

/** One application of an op to be tested. */
export interface SampleCase {
  readonly inputs: SampleTensor[];
  /** A function of the inputs' shapes where attributes hold sizes that follow from them: it is called with symbolic shapes too. */
  readonly attributes?: Attributes | ((...shapes: Shape[]) => Attributes);
  /** Inputs whose gradient is checked; all float32 inputs where left out. */
  readonly gradientOf?: number[];
}

export interface SampleRandom {
  /** Standard normal values. */
  normal(shape: readonly number[]): SampleTensor;
  /** Uniform in [low, high). */
  uniform(shape: readonly number[], low: number, high: number): SampleTensor;
  /** Integers in [0, below). */
  integers(shape: readonly number[], below: number): SampleTensor;
  booleans(shape: readonly number[]): SampleTensor;
}

/** The attributes of a case for inputs of these shapes. */
export function attributesOf({ attributes }: SampleCase, inputs: readonly Value[]): Attributes | undefined {
  return typeof attributes === "function" ? attributes(...inputs.map((value) => value.shape)) : attributes;
}

/** A tensor with given values. */
export function tensorOf(dtype: DataType, shape: readonly number[], data: number[]): SampleTensor {
  return { dtype, shape, data };
}

export function sampleRandom(seed: number): SampleRandom {
  let state = seed >>> 0;
  const next = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const fill = (dtype: DataType, shape: readonly number[], draw: () => number): SampleTensor => ({
    dtype,
    shape,
    data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, draw),
  });
  return {
    normal: (shape) => fill("float32", shape, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())),
    uniform: (shape, low, high) => fill("float32", shape, () => low + (high - low) * next()),
    integers: (shape, below) => fill("int64", shape, () => Math.floor(next() * below)),
    booleans: (shape) => fill("bool", shape, () => (next() < 0.5 ? 1 : 0)),
  };
}
