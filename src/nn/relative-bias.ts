/**
 * A bias of the attention scores that follows from the distance between query and key (Raffel et al. 2020, "T5", section 2.1): a table has a
 * row for each bucket of distances, and in it a number for each head. Near distances have buckets of their own, far ones share buckets whose
 * widths grow by a logarithm. All layers of a model add the same bias, so it is a tensor of the network, computed once.
 */
import type { Block } from "../engine/block/block.js";
import { constant, embedding, expand, multiplyDimensions, reshape, slice, subtractDimensions, symbol, transpose } from "../engine/index.js";
import { skewed } from "./skew.js";

export interface BucketRule {
  /** Half of them for keys before the query, and its own place, half for keys behind it. */
  readonly buckets: number;
  /** The distance from which on all share the last bucket. */
  readonly range: number;
}

export interface RelativeBiasOptions extends BucketRule {
  /** Rows of the table, at least as many as there are buckets. */
  readonly rows: number;
  readonly heads: number;
  /** The longest sequence. */
  readonly longest: number;
  /** Standard deviation of a fresh table. */
  readonly deviation: number;
}

/**
 * The bucket of a distance, key − query: |δ| up to exact = buckets/4, then exact + ⌊ln(|δ|/exact) / ln(range/exact) · exact⌋, in float32 as
 * PyTorch computes it (relative_position_bucket in transformers' modeling_mpnet).
 */
export function relativeBucket(distance: number, { buckets, range }: BucketRule): number {
  const float = Math.fround;
  const half = Math.floor(buckets / 2);
  const exact = Math.floor(half / 2);
  const size = Math.abs(distance);
  const side = distance > 0 ? half : 0;
  if (size < exact) return side + size;
  const share = float(float(Math.log(float(size / exact))) / Math.log(range / exact));
  return side + Math.min(exact + Math.trunc(float(share * (half - exact))), half - 1);
}

const [batch, seq] = [symbol("batch"), symbol("seq")];

/** attention_mask, for its length alone → `distances` [1, heads, seq, seq] from the table `table.weight`. */
export function relativeBias(options: RelativeBiasOptions): Block {
  const { rows, heads, longest, deviation } = options;
  return {
    kind: "relative bias",
    options,
    inputs: { attention_mask: { dtype: "int64", shape: [batch, seq] } },
    // transformers' Trainer takes every parameter with "bias" in its name from weight decay
    parameters: { "table.weight": { shape: [rows, heads], initialise: { kind: "normal", deviation }, decay: false } },
    build: ({ parameters }) => {
      const count = multiplyDimensions(2, seq);
      // key − query of column c is c − (seq − 1); a shorter sequence has the middle of the longest one's
      const buckets = Array.from({ length: 2 * longest }, (_, place) => relativeBucket(place - (longest - 1), options));
      const used = slice(constant("int64", [2 * longest], buckets), 0, subtractDimensions(longest, seq), count);
      const byHead = transpose(embedding(parameters["table.weight"], used), [1, 0]); // [heads, 2·seq]
      return { distances: skewed(expand(reshape(byHead, [1, heads, 1, count]), [1, heads, seq, count])) };
    },
  };
}
