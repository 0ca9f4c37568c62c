/** Values that need no input: constants, index ranges, and the sizes of dimensions as numbers inside the graph. */
import type { Dimension } from "../graph/dimension.js";
import { type ConstantData, type DataType, Value } from "../graph/value.js";
import { toFloat16 } from "../float16.js";
import { defineOp } from "./define-op.js";

/** `label` names a weight in an exported file. */
type ConstantAttributes = { readonly dtype: DataType; readonly shape: readonly number[]; readonly data: ConstantData; readonly label?: string };

export const Constant = defineOp<ConstantAttributes>({
  name: "Constant",
  infer: (_, { dtype, shape }) => [{ dtype, shape }],
  differentiable: false,
  cost: "view",
  lower: (emit, _, { attributes }) => [emit.constant(attributes.dtype, attributes.shape, attributes.data, attributes.label)],
  sample: () => [{ inputs: [], attributes: { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) } }],
});

/** A constant tensor. */
export function constant(dtype: DataType, shape: readonly number[], data: ArrayLike<number>): Value {
  return Constant.apply([], { dtype, shape, data: packData(dtype, data) })[0];
}

/** A constant over memory that is not copied: a weight of an exported model. `label` names it in the file. */
export function constantView(dtype: DataType, shape: readonly number[], data: ConstantData, label?: string): Value {
  return Constant.apply([], { dtype, shape, data, label })[0];
}

/** The attributes of a constant; undefined for any other value. */
export function constantOf(value: Value): ConstantAttributes | undefined {
  return value.node?.op === (Constant as unknown) ? (value.node!.attributes as ConstantAttributes) : undefined;
}

/** A 0-dimensional constant. */
export function scalar(value: number, dtype: DataType = "float32"): Value {
  return constant(dtype, [], [value]);
}

/** What ops accept where a number is as good as a tensor. */
export type Operand = Value | number;

/** Numbers become scalars of the type of the other operand. */
export function operands(...values: Operand[]): Value[] {
  const dtype = values.find((value) => value instanceof Value)?.dtype ?? "float32";
  return values.map((value) => (value instanceof Value ? value : scalar(value, dtype)));
}

export const Iota = defineOp<{ readonly size: Dimension }>({
  name: "Iota",
  infer: (_, { size }) => [{ dtype: "int64", shape: [size] }],
  differentiable: false,
  cost: "view", // never kept: ONNX Runtime 1.30 turns a Gather by a Range into a Slice and then leaves the Range's own output unwritten
  lower: (emit, _, { attributes }) => [emit.node("Range", [emit.int64Scalar(0), emit.dimension(attributes.size), emit.int64Scalar(1)])],
  sample: () => [{ inputs: [], attributes: { size: 5 } }, { inputs: [], attributes: { size: 0 } }],
});

/** 0, 1, …, size − 1 as int64 [size]. */
export function iota(size: Dimension): Value {
  return Iota.apply([], { size })[0];
}

export const DimensionValue = defineOp<{ readonly size: Dimension }>({
  name: "DimensionValue",
  infer: () => [{ dtype: "int64", shape: [] }],
  differentiable: false,
  cost: "view",
  lower: (emit, _, { attributes }) => [emit.dimension(attributes.size)],
  sample: () => [{ inputs: [], attributes: { size: 7 } }],
});

/** The size of a dimension as an int64 scalar. */
export function dimensionValue(size: Dimension): Value {
  return DimensionValue.apply([], { size })[0];
}

function packData(dtype: DataType, data: ArrayLike<number>): ConstantData {
  switch (dtype) {
    case "float32":
      return Float32Array.from(data);
    case "int64":
      return BigInt64Array.from(Array.from(data, (value) => BigInt(value)));
    case "int32":
      return Int32Array.from(data);
    case "int8":
      return Int8Array.from(data);
    case "bool":
    case "uint8":
      return Uint8Array.from(data);
    case "float16":
      return toFloat16(Float32Array.from(data));
  }
}
