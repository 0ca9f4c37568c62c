/** Reductions over axes. */
import { type Dimension, elementCount } from "../graph/dimension.js";
import type { Value } from "../graph/value.js";
import { div, mul, sub } from "./arithmetic.js";
import { equal } from "./comparison.js";
import { dimensionValue } from "./constant.js";
import { defineOp, resolveAxis, ShapeError } from "./define-op.js";
import { exp } from "./elementwise.js";
import { cast } from "./select.js";
import { expand, reshape } from "./shape.js";

type ReductionAttributes = { readonly axes: readonly number[]; readonly keepDimensions: boolean };
type ReductionOptions = { readonly keepDimensions?: boolean };

function reducedShape(x: Value, { axes, keepDimensions }: ReductionAttributes): Dimension[] {
  const reduced = new Set(axes);
  return x.shape.flatMap((dimension, axis) => (reduced.has(axis) ? (keepDimensions ? [1] : []) : [dimension]));
}

/** A reduced tensor with its reduced axes back as size 1. */
function restoreAxes(value: Value, x: Value, attributes: ReductionAttributes): Value {
  return reshape(value, reducedShape(x, { ...attributes, keepDimensions: true }));
}

/** `ofNothing`: the reduction of no elements is defined. */
function defineReduction(name: string, vjp: (dy: Value, x: Value, y: Value) => Value, ofNothing = false) {
  return defineOp<ReductionAttributes>({
    name,
    infer: ([x], attributes) => {
      if (attributes.axes.length === 0) throw new ShapeError("a reduction should be over some axis"); // ONNX takes none for all
      return [{ dtype: x.dtype, shape: reducedShape(x, attributes) }];
    },
    vjp: ({ dy, inputs: [x], outputs: [y], attributes }) => [vjp(restoreAxes(dy, x, attributes), x, restoreAxes(y, x, attributes))],
    cost: "heavy",
    lower: (emit, [x], { attributes }) => [
      emit.node(name, [x, emit.int64(attributes.axes)], { attributes: { keepdims: attributes.keepDimensions ? 1 : 0 } }),
    ],
    sample: (random) => [
      { inputs: [random.normal([2, 3, 4])], attributes: { axes: [1], keepDimensions: true } },
      { inputs: [random.normal([2, 3, 4])], attributes: { axes: [0, 2], keepDimensions: false } },
      { inputs: [random.normal([1, 3])], attributes: { axes: [0], keepDimensions: false } },
      { inputs: [random.normal([3, 2])], attributes: { axes: [0, 1], keepDimensions: false } },
      { inputs: [random.normal([0, 2])], attributes: { axes: [1], keepDimensions: false } },
      ...(ofNothing ? [{ inputs: [random.normal([0, 2])], attributes: { axes: [0], keepDimensions: true } }] : []),
    ],
  });
}

export const ReduceSum = defineReduction("ReduceSum", (dy, x) => expand(dy, x.shape), true);
export const ReduceSumSquare = defineReduction("ReduceSumSquare", (dy, x) => mul(dy, mul(x, 2)), true);
export const ReduceMax = defineReduction("ReduceMax", (dy, x, y) => mul(dy, cast(equal(x, y), "float32"))); // to every place that holds the maximum
export const ReduceLogSumExp = defineReduction("ReduceLogSumExp", (dy, x, y) => mul(dy, exp(sub(x, y)))); // ∂ ln Σ eˣ = softmax(x)

function reduce(op: typeof ReduceSum, x: Value, axes: readonly number[], options?: ReductionOptions): Value {
  const resolved = [...new Set(axes.map((axis) => resolveAxis(axis, x.rank)))].sort((a, b) => a - b);
  return resolved.length === 0 ? x : op.apply([x], { axes: resolved, keepDimensions: options?.keepDimensions ?? false })[0];
}

/** The sum over `axes` (all of them where left out). */
export function sum(x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis), options?: ReductionOptions): Value {
  return reduce(ReduceSum, x, axes, options);
}

/** Σ x² over `axes`, in one pass. */
export function sumOfSquares(x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis), options?: ReductionOptions): Value {
  return axes.length === 0 ? mul(x, x) : reduce(ReduceSumSquare, x, axes, options);
}

/** The largest element over `axes`; its gradient goes to every element that equals it. */
export function max(x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis), options?: ReductionOptions): Value {
  return reduce(ReduceMax, x, axes, options);
}

/** ln Σ eˣ over `axes`, without overflow. */
export function logSumExp(x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis), options?: ReductionOptions): Value {
  return reduce(ReduceLogSumExp, x, axes, options);
}

/** The mean over `axes`. */
export function mean(x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis), options?: ReductionOptions): Value {
  const count = elementCount(axes.map((axis) => x.shape[resolveAxis(axis, x.rank)]));
  const total = sum(x, axes, options);
  return typeof count === "number" ? mul(total, 1 / count) : div(total, cast(dimensionValue(count), "float32"));
}
