/** Rows picked by index, and the scatter that is its gradient; a row picked twice gets both gradients. */
import type { Shape } from "../graph/dimension.js";
import type { Value } from "../graph/value.js";
import { scalar } from "./constant.js";
import { defineOp, requireSame, requireType, ShapeError } from "./define-op.js";
import { tensorOf } from "./sample.js";
import { expand } from "./shape.js";

export const Gather = defineOp({
  name: "Gather",
  infer: ([table, indices]) => {
    requireType(indices, ["int64"], "the indices");
    if (table.rank === 0) throw new ShapeError("the table should have a first axis to pick from");
    return [{ dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] }];
  },
  vjp: ({ dy, inputs: [table, indices] }) => [scatterAdd(zeros(table.shape), indices, dy), undefined],
  cost: "elementwise",
  lower: (emit, [table, indices]) => [emit.node("Gather", [table, indices], { attributes: { axis: 0 } })],
  sample: (random) => [
    { inputs: [random.normal([5, 3]), tensorOf("int64", [2, 3], [0, 4, 4, 1, 4, 0])] },
    { inputs: [random.normal([4]), tensorOf("int64", [], [2])] },
    { inputs: [random.normal([1, 2]), tensorOf("int64", [0], [])] },
  ],
});

/** table[indices]: [rows, ...rest] and int64 [...picked] → [...picked, ...rest]. */
export function gather(table: Value, indices: Value): Value {
  return Gather.apply([table, indices])[0];
}

export const ScatterAdd = defineOp({
  name: "ScatterAdd",
  infer: ([base, indices, updates]) => {
    requireType(indices, ["int64"], "the indices");
    const rest = base.shape.slice(1);
    [...indices.shape, ...rest].forEach((dimension, axis) => requireSame(dimension, updates.shape[axis], `dimension ${axis} of the updates`));
    return [base];
  },
  vjp: ({ dy, inputs: [, indices] }) => [dy, undefined, gather(dy, indices)],
  cost: "heavy",
  lower: (emit, [base, indices, updates]) => {
    const column = emit.node("Unsqueeze", [indices, emit.int64([-1])]);
    return [emit.node("ScatterND", [base, column, updates], { attributes: { reduction: "add" } })];
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
