/** Lookup in a table of embeddings whose padding row is read but never trained (as torch.nn.Embedding with padding_idx). */
import type { Value } from "../graph/value.js";
import { equal } from "./comparison.js";
import { defineOp, requireRank, requireType } from "./define-op.js";
import { scatterAdd, zeros } from "./gather.js";
import { flattenRows, matmul } from "./matmul.js";
import { oneHot } from "./one-hot.js";
import { tensorOf } from "./sample.js";
import { where } from "./select.js";
import { reshape } from "./shape.js";

/** Tables no larger, such as token types, get their gradient as a product: a scatter adds row by row, on one thread. */
const fewRows = 16;

export const Embedding = defineOp<{ readonly padding: number | undefined }>({
  name: "Embedding",
  infer: ([table, ids]) => {
    requireRank(table, 2, "the table");
    requireType(ids, ["int64"], "the ids");
    return [{ dtype: table.dtype, shape: [...ids.shape, table.shape[1]] }];
  },
  // dT[r] = Σ dy at the places where r was looked up, which is onehot(ids)ᵀ·dy; nothing for the padding row
  vjp: ({ dy, inputs: [table, ids], attributes: { padding } }) => {
    const trained = padding === undefined ? dy : where(reshape(equal(ids, padding), [...ids.shape, 1]), 0, dy);
    const [rows] = table.shape;
    if (typeof rows === "number" && rows <= fewRows) return [matmul(flattenRows(oneHot(ids, rows)), flattenRows(trained), { transposeA: true }), undefined];
    return [scatterAdd(zeros(table.shape), ids, trained), undefined];
  },
  cost: "elementwise",
  lower: (emit, [table, ids]) => [emit.node("Gather", [table, ids], { attributes: { axis: 0 } })],
  sample: (random) => [
    { inputs: [random.normal([5, 3]), tensorOf("int64", [2, 3], [0, 4, 4, 1, 4, 0])], attributes: { padding: undefined } },
    { inputs: [random.normal([5, 3]), tensorOf("int64", [3], [2, 4, 2])], attributes: { padding: 1 } },
    { inputs: [random.normal([20, 3]), tensorOf("int64", [2, 3], [0, 19, 19, 1, 4, 0])], attributes: { padding: undefined } },
    { inputs: [random.normal([20, 3]), tensorOf("int64", [4], [2, 4, 2, 4])], attributes: { padding: 0 } },
  ],
});

/** Rows of table [rows, width] for ids [...] → [..., width]; no gradient flows to row `padding`. */
export function embedding(table: Value, ids: Value, padding?: number): Value {
  return Embedding.apply([table, ids], { padding })[0];
}
