/** Running sums along an axis. */
import type { Value } from "../graph/value.js";
import { defineOp, resolveAxis } from "./define-op.js";

type CumulativeSumAttributes = { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean };

export const CumulativeSum = defineOp<CumulativeSumAttributes>({
  name: "CumulativeSum",
  infer: ([x]) => [x],
  vjp: ({ dy, attributes }) => [cumulativeSum(dy, attributes.axis, { ...attributes, reverse: !attributes.reverse })], // xᵢ is in every sum from the i-th on
  cost: "elementwise",
  lower: (emit, [x], { attributes: { axis, exclusive, reverse } }) => [
    emit.node("CumSum", [x, emit.int64Scalar(axis)], { attributes: { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 } }),
  ],
  sample: (random) => [
    { inputs: [random.normal([2, 4])], attributes: { axis: 1, exclusive: false, reverse: false } },
    { inputs: [random.normal([3, 2, 2])], attributes: { axis: 0, exclusive: true, reverse: false } },
    { inputs: [random.normal([2, 3, 2])], attributes: { axis: 1, exclusive: true, reverse: true } },
    { inputs: [random.normal([1])], attributes: { axis: 0, exclusive: false, reverse: true } },
    { inputs: [random.normal([2, 0])], attributes: { axis: 1, exclusive: false, reverse: false } },
    { inputs: [random.integers([2, 4], 9)], attributes: { axis: 1, exclusive: false, reverse: false } },
  ],
});

/** The sums of the elements up to each one along `axis`; `exclusive` leaves out the element itself, `reverse` sums from the end. */
export function cumulativeSum(x: Value, axis: number, options: { exclusive?: boolean; reverse?: boolean } = {}): Value {
  return CumulativeSum.apply([x], { exclusive: false, reverse: false, ...options, axis: resolveAxis(axis, x.rank) })[0];
}
