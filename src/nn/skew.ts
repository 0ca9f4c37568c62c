/** Rows of a matrix moved by their number: what stands by distance in a row comes to stand by place. */
import { multiplyDimensions, reshape, slice, subtractDimensions, type Value } from "../engine/index.js";

/** y[…, i, j] = x[…, i, j − i + seq − 1]: [batch, heads, seq, 2·seq] → [batch, heads, seq, seq]. */
export function skewed(x: Value): Value {
  const [batch, heads, seq, columns] = x.shape;
  // The element of row i, column j − i + seq − 1 is element i·(2·seq − 1) + j + seq − 1 of the matrix: in rows shorter by one it stands in
  // column j + seq − 1 whatever its row.
  const shorter = subtractDimensions(columns, 1);
  const flat = reshape(x, [batch, heads, multiplyDimensions(seq, columns)]);
  const rows = reshape(slice(flat, 2, 0, multiplyDimensions(seq, shorter)), [batch, heads, seq, shorter]);
  return slice(rows, 3, subtractDimensions(seq, 1), seq);
}
