/** Selection by a condition, and conversion between types. */
import type { DataType, Value } from "../graph/value.js";
import { operands, type Operand } from "./constant.js";
import { broadcastShapes, defineOp, requireType, ShapeError } from "./define-op.js";

export const Where = defineOp({
  name: "Where",
  infer: ([condition, a, b]) => {
    requireType(condition, ["bool"], "the condition");
    if (a.dtype !== b.dtype) throw new ShapeError(`branches should have one type, got ${a.dtype} and ${b.dtype}`);
    return [{ dtype: a.dtype, shape: broadcastShapes(condition.shape, a.shape, b.shape) }];
  },
  vjp: ({ dy, inputs: [condition] }) => [undefined, where(condition, dy, 0), where(condition, 0, dy)],
  cost: "elementwise",
  sample: (random) => [
    { inputs: [random.booleans([2, 3]), random.normal([2, 3]), random.normal([2, 3])] },
    { inputs: [random.booleans([3]), random.normal([]), random.normal([2, 1])] },
    { inputs: [random.booleans([1, 1]), random.normal([0, 2]), random.normal([1])] },
  ],
});

/** Elements of `a` where the condition holds, of `b` elsewhere; all three broadcast. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  return Where.apply([condition, ...operands(a, b)])[0];
}

/** ONNX TensorProto.DataType numbers. */
export const onnxDataTypes: Readonly<Record<DataType, number>> = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 };

export const Cast = defineOp<{ readonly to: DataType }>({
  name: "Cast",
  infer: ([x], { to }) => [{ dtype: to, shape: x.shape }],
  vjp: ({ dy, inputs: [x] }) => [x.dtype === "float32" || x.dtype === "float16" ? cast(dy, x.dtype) : undefined],
  cost: "elementwise",
  lower: (emit, [x], { attributes }) => [emit.node("Cast", [x], { attributes: { to: onnxDataTypes[attributes.to] } })],
  sample: (random) => [
    { inputs: [random.integers([2, 3], 9)], attributes: { to: "float32" } },
    { inputs: [random.normal([2, 3])], attributes: { to: "float32" } },
    { inputs: [random.booleans([4])], attributes: { to: "int64" } },
  ],
});

/** x converted to another type. */
export function cast(x: Value, to: DataType): Value {
  return x.dtype === to ? x : Cast.apply([x], { to })[0];
}
