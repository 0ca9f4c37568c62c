/** Elements picked by index along one axis, and the scatter that is its gradient; an element picked twice gets both gradients. */
import type { Value } from "../graph/value.js";
import { defineOp, requireRank, requireSame, requireType, resolveAxis } from "./define-op.js";
import { zeros } from "./gather.js";
import { tensorOf } from "./sample.js";

type AlongAttributes = { readonly axis: number };

export const GatherAlong = defineOp<AlongAttributes>({
  name: "GatherAlong",
  infer: ([x, indices], { axis }) => {
    requireIndices(indices, x, axis);
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  vjp: ({ dy, inputs: [x, indices], attributes: { axis } }) => [scatterAddAlong(zeros(x.shape), indices, dy, axis), undefined],
  cost: "elementwise",
  lower: (emit, [x, indices], { attributes: { axis } }) => [emit.node("GatherElements", [x, indices], { attributes: { axis } })],
  sample: (random) => [
    { inputs: [random.normal([2, 5]), tensorOf("int64", [2, 3], [0, 4, 4, 1, 0, 1])], attributes: { axis: 1 } },
    { inputs: [random.normal([3, 2]), tensorOf("int64", [4, 2], [0, 1, 2, 2, 0, 1, 0, 0])], attributes: { axis: 0 } },
    { inputs: [random.normal([1, 4]), tensorOf("int64", [1, 1], [3])], attributes: { axis: 1 } },
    { inputs: [random.normal([0, 4]), tensorOf("int64", [0, 2], [])], attributes: { axis: 1 } },
  ],
});

/** y[i, j, …] = x[i, indices[i, j, …], …] for axis 1, and so for any: int64 indices of x's shape but for `axis` → the indices' shape. */
export function gatherAlong(x: Value, indices: Value, axis: number): Value {
  return GatherAlong.apply([x, indices], { axis: resolveAxis(axis, x.rank) })[0];
}

export const ScatterAddAlong = defineOp<AlongAttributes>({
  name: "ScatterAddAlong",
  infer: ([base, indices, updates], { axis }) => {
    requireIndices(indices, base, axis);
    requireRank(updates, base.rank, "the updates");
    indices.shape.forEach((dimension, index) =>
      requireSame(dimension, updates.shape[index], `dimension ${index} of the indices and the updates`),
    );
    return [base];
  },
  vjp: ({ dy, inputs: [, indices], attributes: { axis } }) => [dy, undefined, gatherAlong(dy, indices, axis)],
  cost: "heavy",
  lower: (emit, [base, indices, updates], { attributes: { axis } }) => [
    emit.node("ScatterElements", [base, indices, updates], { attributes: { axis, reduction: "add" } }),
  ],
  sample: (random) => [
    { inputs: [random.normal([2, 4]), tensorOf("int64", [2, 3], [0, 3, 0, 1, 1, 1]), random.normal([2, 3])], attributes: { axis: 1 } },
    { inputs: [random.normal([3, 2]), tensorOf("int64", [2, 2], [0, 2, 0, 1]), random.normal([2, 2])], attributes: { axis: 0 } },
    { inputs: [random.normal([2, 3]), tensorOf("int64", [2, 0], []), random.normal([2, 0])], attributes: { axis: 1 } },
  ],
});

/** base with `updates` added at the places that `gatherAlong` would pick. */
export function scatterAddAlong(base: Value, indices: Value, updates: Value, axis: number): Value {
  return ScatterAddAlong.apply([base, indices, updates], { axis: resolveAxis(axis, base.rank) })[0];
}

function requireIndices(indices: Value, x: Value, axis: number): void {
  requireType(indices, ["int64"], "the indices");
  requireRank(indices, x.rank, "the indices");
  x.shape.forEach(
    (dimension, index) =>
      index === axis || requireSame(dimension, indices.shape[index], `dimension ${index} of the tensor and the indices`),
  );
}
