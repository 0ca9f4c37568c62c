/** Sample inputs of ops for the contract test: small tensors from a seeded generator. */
import type { Shape } from "../graph/dimension.js";
import type { Attributes, DataType, Value } from "../graph/value.js";
import { randomGenerator } from "../random.js";

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
  const random = randomGenerator(seed);
  const fill = (dtype: DataType, shape: readonly number[], draw: () => number): SampleTensor => ({
    dtype,
    shape,
    data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, draw),
  });
  return {
    normal: (shape) => fill("float32", shape, random.normal),
    uniform: (shape, low, high) => fill("float32", shape, () => low + (high - low) * random.uniform()),
    integers: (shape, below) => fill("int64", shape, () => Math.floor(random.uniform() * below)),
    booleans: (shape) => fill("bool", shape, () => (random.uniform() < 0.5 ? 1 : 0)),
  };
}
