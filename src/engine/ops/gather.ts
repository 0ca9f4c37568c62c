/** Rows (or slices along another axis) picked by index, and the scatter that is its gradient; one picked twice gets both gradients. */
import { type Dimension, elementCount, type Shape } from "../graph/dimension.js";
import type { Value } from "../graph/value.js";
import { scalar } from "./constant.js";
import { defineOp, requireSame, requireType, resolveAxis, ShapeError } from "./define-op.js";
import { tensorOf } from "./sample.js";
import { expand, transpose } from "./shape.js";

export const Gather = defineOp<{ readonly axis: number }>({
  name: "Gather",
  infer: ([table, indices], { axis }) => {
    requireType(indices, ["int64"], "the indices");
    if (axis >= table.rank) throw new ShapeError(`the table should have an axis ${axis} to pick from, got ${table}`);
    return [{ dtype: table.dtype, shape: [...table.shape.slice(0, axis), ...indices.shape, ...table.shape.slice(axis + 1)] }];
  },
  // scatterAdd goes along the first axis: bring the picked axis (of dy, the axes of the indices) to the front and the result's back
  vjp: ({ dy, inputs: [table, indices], attributes: { axis } }) => {
    const toFront = moveAxes(table.rank, axis, 1);
    const dTable = scatterAdd(
      zeros(toFront.map((from) => table.shape[from])),
      indices,
      transpose(dy, moveAxes(dy.rank, axis, indices.rank)),
    );
    return [
      transpose(
        dTable,
        toFront.map((_, to) => toFront.indexOf(to)),
      ),
      undefined,
    ];
  },
  cost: "elementwise",
  sample: (random) => [
    { inputs: [random.normal([5, 3]), tensorOf("int64", [2, 3], [0, 4, 4, 1, 4, 0])], attributes: { axis: 0 } },
    { inputs: [random.normal([4]), tensorOf("int64", [], [2])], attributes: { axis: 0 } },
    { inputs: [random.normal([1, 2]), tensorOf("int64", [0], [])], attributes: { axis: 0 } },
    { inputs: [random.normal([2, 4, 3]), tensorOf("int64", [2, 2], [3, 0, 3, 3])], attributes: { axis: 1 } },
    { inputs: [random.normal([2, 3]), tensorOf("int64", [], [1])], attributes: { axis: 1 } },
  ],
});

/** table[indices]: [rows, ...rest] and int64 [...picked] → [...picked, ...rest]; picks along `axis` where that is not the first. */
export function gather(table: Value, indices: Value, axis = 0): Value {
  return Gather.apply([table, indices], { axis: resolveAxis(axis, table.rank) })[0];
}

/** The permutation that brings `count` axes from `first` on to the front. */
function moveAxes(rank: number, first: number, count: number): number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return [...axes.slice(first, first + count), ...axes.slice(0, first), ...axes.slice(first + count)];
}

export const ScatterAdd = defineOp({
  name: "ScatterAdd",
  infer: ([base, indices, updates]) => {
    requireType(indices, ["int64"], "the indices");
    const rest = base.shape.slice(1);
    [...indices.shape, ...rest].forEach((dimension, axis) =>
      requireSame(dimension, updates.shape[axis], `dimension ${axis} of the updates`),
    );
    return [base];
  },
  vjp: ({ dy, inputs: [, indices] }) => [dy, undefined, gather(dy, indices)],
  cost: "heavy",
  // ScatterND would fit the shapes, but its threads lose additions to a row that is named twice (ONNX Runtime issue 18048);
  // ScatterElements adds one element after the other, in order.
  lower: (emit, [base, indices, updates], { inputs: [table, picked] }) => {
    const rest = table.shape.slice(1);
    const [rows, width, count] = [table.shape[0], elementCount(rest), elementCount(picked.shape)];
    const flat = (name: string, value: Shape, size: Dimension) => emit.reshape(name, value, rest.length === 0 ? [size] : [size, width]);
    const column = emit.reshape(indices, picked.shape, rest.length === 0 ? [count] : [count, 1]);
    const places = rest.length === 0 ? column : emit.node("Expand", [column, emit.shape([count, width])]);
    const added = emit.node("ScatterElements", [flat(base, table.shape, rows), places, flat(updates, [...picked.shape, ...rest], count)], {
      attributes: { axis: 0, reduction: "add" },
    });
    return [emit.reshape(added, rest.length === 0 ? [rows] : [rows, width], table.shape)];
  },
  sample: (random) => [
    { inputs: [random.normal([4, 2]), tensorOf("int64", [3], [1, 3, 1]), random.normal([3, 2])] },
    { inputs: [random.normal([3]), tensorOf("int64", [2, 2], [0, 0, 0, 2]), random.normal([2, 2])] },
    { inputs: [random.normal([2, 3]), tensorOf("int64", [0], []), random.normal([0, 3])] },
    { inputs: [random.normal([1]), tensorOf("int64", [], [0]), random.normal([])] },
  ],
});

/** base with `updates[i]` added to row `indices[i]`, for every i. */
export function scatterAdd(base: Value, indices: Value, updates: Value): Value {
  return ScatterAdd.apply([base, indices, updates])[0];
}

/** A tensor of zeros. */
export function zeros(shape: Shape): Value {
  return expand(scalar(0), shape);
}
