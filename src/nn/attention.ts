/** Multi-head attention (Vaswani et al. 2017) and the bias that hides padding. */
import type { BlockScope } from "../engine/block/block.js";
import { attention, type Dimension, paddingScores, reshape, transpose, type Value } from "../engine/index.js";
import { dense } from "./layers.js";

export interface AttentionOptions {
  readonly heads: number;
  /** Dropout of the attention probabilities. */
  readonly dropout: number;
}

/** 1 for real tokens, 0 for padding, [batch, seq] of any type → an additive bias [batch, 1, 1, seq]. */
export function paddingBias(attentionMask: Value): Value {
  const [batch, seq] = attentionMask.shape;
  return reshape(paddingScores(attentionMask), [batch, 1, 1, seq]);
}

/**
 * Self-attention of x [batch, seq, hidden] with the layers `query`, `key`, `value` and `output` under `name`;
 * bias broadcasts to [batch, heads, seq, seq].
 */
export function selfAttention(scope: BlockScope, name: string, x: Value, bias: Value, options: AttentionOptions): Value {
  const [batch, seq, width] = x.shape;
  const head = headWidth(width, options.heads);
  const split = (projected: Value) => transpose(reshape(projected, [batch, seq, options.heads, head]), [0, 2, 1, 3]); // [batch, heads, seq, head]
  const [query, key, value] = ["query", "key", "value"].map((part) => split(dense(scope, `${name}.${part}`, x)));
  const mask = scope.dropoutMask([batch, options.heads, seq, seq], options.dropout);
  const context = attention(query, key, value, { scale: 1 / Math.sqrt(head), bias, mask });
  return dense(scope, `${name}.output`, reshape(transpose(context, [0, 2, 1, 3]), x.shape));
}

/** The width of one head. */
export function headWidth(width: Dimension, heads: number): number {
  if (typeof width !== "number" || width % heads !== 0) throw new Error(`internal: ${heads} heads do not divide a width of ${width}`);
  return width / heads;
}
