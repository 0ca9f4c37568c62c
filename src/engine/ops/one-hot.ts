/** Indices as rows that are 1 at the index and 0 elsewhere. */
import type { Dimension } from "../graph/dimension.js";
import type { Value } from "../graph/value.js";
import { equal } from "./comparison.js";
import { iota } from "./constant.js";
import { cast } from "./select.js";
import { reshape } from "./shape.js";

/** int64 [...] → float32 [..., depth]; an index outside [0, depth) gives a row of zeros. */
export function oneHot(indices: Value, depth: Dimension): Value {
  return cast(equal(reshape(indices, [...indices.shape, 1]), iota(depth)), "float32");
}
