/**
 * Masks of attention: which key each query may see, as bool, and the bias that is added to the scores. All follow from
 * positions by comparison, so one graph serves every length.
 */
import type { Dimension } from "../graph/dimension.js";
import type { Value } from "../graph/value.js";
import { add, mul, sub } from "./arithmetic.js";
import { and, greaterOrEqual, less, lessOrEqual } from "./comparison.js";
import { iota, type Operand } from "./constant.js";
import { cast, where } from "./select.js";
import { reshape } from "./shape.js";

/** The lowest float32: a score with it added is 0 after the softmax, and a row of nothing else becomes uniform and not NaN. */
export const lowestFloat32 = -3.4028234663852886e38;

/** Key j is visible to query i where j ≤ i + `offset` (the number of keys before the first query): bool [queries, keys]. */
export function causalMask(queries: Dimension, keys: Dimension, offset: Operand = 0): Value {
  return lessOrEqual(reshape(iota(keys), [1, keys]), queryPositions(queries, offset));
}

/** Key j is visible to query i where i + `offset` − before ≤ j ≤ i + `offset` + after: bool [queries, keys]. */
export function windowMask(queries: Dimension, keys: Dimension, window: { before: number; after: number }, offset: Operand = 0): Value {
  const distance = sub(reshape(iota(keys), [1, keys]), queryPositions(queries, offset));
  return and(greaterOrEqual(distance, -window.before), lessOrEqual(distance, window.after));
}

/** Position j of row i is real where j < lengths[i]: int64 [rows] → bool [rows, size]. */
export function lengthMask(lengths: Value, size: Dimension): Value {
  return less(iota(size), reshape(lengths, [lengths.shape[0], 1]));
}

/** 0 where the mask holds, the lowest float32 where not. */
export function maskBias(mask: Value): Value {
  return where(mask, 0, lowestFloat32);
}

/** Added to the score of a padded position: large enough that its softmax is exactly 0, small enough that sums stay finite. */
export const paddingScore = -1e9;

/** 1 for real tokens and 0 for padding, of any type → 0 and `paddingScore`, float32 of the same shape. */
export function paddingScores(real: Value): Value {
  return mul(sub(1, cast(real, "float32")), paddingScore);
}

function queryPositions(queries: Dimension, offset: Operand): Value {
  return add(reshape(iota(queries), [queries, 1]), offset);
}
