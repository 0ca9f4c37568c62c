/** Ops that move elements without changing them: reshape, transpose, expand, slice, concatenate, pad. */
import {
  addDimensions,
  type Dimension,
  elementCount,
  multiplyDimensions,
  printShape,
  sameDimension,
  sameShape,
  type Shape,
  subtractDimensions,
} from "../graph/dimension.js";
import type { Value } from "../graph/value.js";
import { broadcastShapes, defineOp, requireSame, resolveAxis, ShapeError } from "./define-op.js";

export const Reshape = defineOp<{ readonly shape: Shape }>({
  name: "Reshape",
  infer: ([x], { shape }) => {
    if (!sameDimension(elementCount(x.shape), elementCount(shape))) {
      throw new ShapeError(`the new shape should have ${elementCount(x.shape)} elements, got ${printShape(shape)}`);
    }
    return [{ dtype: x.dtype, shape }];
  },
  vjp: ({ dy, inputs: [x] }) => [reshape(dy, x.shape)],
  cost: "view",
  lower: (emit, [x], { attributes, inputs }) => [emit.reshape(x, inputs[0].shape, attributes.shape)],
  sample: (random) => [
    { inputs: [random.normal([2, 6])], attributes: ([rows, columns]) => ({ shape: [columns, rows] }) },
    { inputs: [random.normal([0, 3, 2])], attributes: ([batch, length, width]) => ({ shape: [batch, multiplyDimensions(length, width)] }) },
    { inputs: [random.normal([1])], attributes: { shape: [] } },
    { inputs: [random.normal([2, 3, 4])], attributes: ([batch, length, width]) => ({ shape: [multiplyDimensions(batch, length), width] }) },
  ],
});

/** The same elements in row-major order under another shape. */
export function reshape(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : Reshape.apply([x], { shape })[0];
}

export const Transpose = defineOp<{ readonly permutation: readonly number[] }>({
  name: "Transpose",
  infer: ([x], { permutation }) => {
    if (permutation.length !== x.rank || new Set(permutation).size !== x.rank) {
      throw new ShapeError(`a permutation of ${x.rank} axes is expected, got [${permutation.join(", ")}]`);
    }
    return [{ dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis]) }];
  },
  vjp: ({ dy, attributes: { permutation } }) => [
    transpose(
      dy,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  cost: "elementwise",
  lower: (emit, [x], { attributes }) => [emit.node("Transpose", [x], { attributes: { perm: attributes.permutation } })],
  sample: (random) => [
    { inputs: [random.normal([2, 3, 4])], attributes: { permutation: [2, 0, 1] } },
    { inputs: [random.normal([0, 3])], attributes: { permutation: [1, 0] } },
  ],
});

/** Axes in another order: `permutation[i]` is the old axis that becomes axis i. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  return permutation.every((axis, index) => axis === index) ? x : Transpose.apply([x], { permutation })[0];
}

/** The last two axes swapped. */
export function transposed(x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  return transpose(x, [...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}

export const Expand = defineOp<{ readonly shape: Shape }>({
  name: "Expand",
  infer: ([x], { shape }) => {
    if (!sameShape(broadcastShapes(x.shape, shape), shape))
      throw new ShapeError(`${printShape(x.shape)} should broadcast to ${printShape(shape)}`);
    return [{ dtype: x.dtype, shape }];
  },
  vjp: ({ dy }) => [dy], // the walk sums over the broadcast axes
  cost: "elementwise",
  lower: (emit, [x], { attributes }) => [emit.node("Expand", [x, emit.shape(attributes.shape)])],
  sample: (random) => [
    { inputs: [random.normal([3, 1])], attributes: ([rows]) => ({ shape: [2, rows, 4] }) },
    { inputs: [random.normal([])], attributes: { shape: [2] } },
    { inputs: [random.normal([1, 2])], attributes: ([, columns]) => ({ shape: [0, columns] }) },
  ],
});

/** x repeated along its size-1 (or missing leading) axes to fill `shape`. */
export function expand(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : Expand.apply([x], { shape })[0];
}

type SliceAttributes = { readonly axis: number; readonly start: Dimension; readonly size: Dimension };

export const Slice = defineOp<SliceAttributes>({
  name: "Slice",
  infer: ([x], { axis, start, size }) => {
    const whole = x.shape[axis];
    if (
      typeof whole === "number" &&
      typeof start === "number" &&
      typeof size === "number" &&
      (start < 0 || size < 0 || start + size > whole)
    ) {
      throw new ShapeError(`a slice should lie in [0, ${whole}], got [${start}, ${start + size})`);
    }
    return [{ dtype: x.dtype, shape: x.shape.map((dimension, index) => (index === axis ? size : dimension)) }];
  },
  vjp: ({ dy, inputs: [x], attributes: { axis, start, size } }) => [
    pad(dy, axis, start, subtractDimensions(x.shape[axis], addDimensions(start, size))),
  ],
  cost: "elementwise",
  lower: (emit, [x], { attributes: { axis, start, size } }) => [
    emit.node("Slice", [x, emit.shape([start]), emit.shape([addDimensions(start, size)]), emit.int64([axis])]),
  ],
  sample: (random) => [
    { inputs: [random.normal([2, 5])], attributes: { axis: 1, start: 1, size: 3 } },
    { inputs: [random.normal([2, 5])], attributes: { axis: 0, start: 1, size: 0 } },
    { inputs: [random.normal([0, 3])], attributes: ([rows]) => ({ axis: 0, start: 0, size: rows }) },
    { inputs: [random.normal([4, 2])], attributes: ([rows]) => ({ axis: 0, start: 1, size: subtractDimensions(rows, 2) }) },
  ],
});

/** `size` elements along `axis` from `start` on. */
export function slice(x: Value, axis: number, start: Dimension, size: Dimension): Value {
  const resolved = resolveAxis(axis, x.rank);
  return start === 0 && sameDimension(size, x.shape[resolved]) ? x : Slice.apply([x], { axis: resolved, start, size })[0];
}

export const Concat = defineOp<{ readonly axis: number }>({
  name: "Concat",
  infer: (parts, { axis }) => {
    for (const part of parts.slice(1)) {
      if (part.rank !== parts[0].rank || part.dtype !== parts[0].dtype) throw new ShapeError("parts should have one rank and one type");
      part.shape.forEach(
        (dimension, index) => index === axis || requireSame(dimension, parts[0].shape[index], `dimension ${index} of the parts`),
      );
    }
    const total = addDimensions(...parts.map((part) => part.shape[axis]));
    return [{ dtype: parts[0].dtype, shape: parts[0].shape.map((dimension, index) => (index === axis ? total : dimension)) }];
  },
  vjp: ({ dy, inputs, attributes: { axis } }) => {
    let start: Dimension = 0;
    return inputs.map((part) => {
      const gradient = slice(dy, axis, start, part.shape[axis]);
      start = addDimensions(start, part.shape[axis]);
      return gradient;
    });
  },
  cost: "elementwise",
  sample: (random) => [
    { inputs: [random.normal([2, 3]), random.normal([2, 1]), random.normal([2, 0])], attributes: { axis: 1 } },
    { inputs: [random.normal([1, 2]), random.normal([3, 2])], attributes: { axis: 0 } },
  ],
});

/** The parts one behind the other along `axis`. */
export function concat(parts: readonly Value[], axis: number): Value {
  return parts.length === 1 ? parts[0] : Concat.apply(parts, { axis: resolveAxis(axis, parts[0].rank) })[0];
}

/** The parts of x along `axis` whose sizes are given; they cover it. */
export function split(x: Value, sizes: readonly Dimension[], axis: number): Value[] {
  const resolved = resolveAxis(axis, x.rank);
  requireSame(addDimensions(...sizes), x.shape[resolved], "the sum of the sizes and the dimension that is split");
  return sizes.map((size, index) => slice(x, resolved, addDimensions(...sizes.slice(0, index)), size));
}

type PadAttributes = { readonly axis: number; readonly before: Dimension; readonly after: Dimension; readonly value: number };

export const Pad = defineOp<PadAttributes>({
  name: "Pad",
  infer: ([x], { axis, before, after }) => [
    { dtype: x.dtype, shape: x.shape.map((dimension, index) => (index === axis ? addDimensions(before, dimension, after) : dimension)) },
  ],
  vjp: ({ dy, inputs: [x], attributes: { axis, before } }) => [slice(dy, axis, before, x.shape[axis])],
  cost: "elementwise",
  lower: (emit, [x], { attributes: { axis, before, after, value }, inputs: [source] }) => {
    const fill = source.dtype === "float32" || source.dtype === "float16" ? emit.float(value, source.dtype) : emit.int64Scalar(value);
    return [emit.node("Pad", [x, emit.shape([before, after]), fill, emit.int64([axis])], { attributes: { mode: "constant" } })];
  },
  sample: (random) => [
    { inputs: [random.normal([2, 3])], attributes: { axis: 1, before: 1, after: 2, value: 0 } },
    { inputs: [random.normal([0, 3])], attributes: { axis: 0, before: 0, after: 2, value: 1.5 } },
  ],
});

/** x with `before` and `after` elements of `value` added along `axis`; float32 or int64. */
export function pad(x: Value, axis: number, before: Dimension, after: Dimension, value = 0): Value {
  return before === 0 && after === 0 ? x : Pad.apply([x], { axis: resolveAxis(axis, x.rank), before, after, value })[0];
}
