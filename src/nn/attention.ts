/** Multi-head attention (Vaswani et al. 2017) and the bias that hides padding. */
import type { BlockScope } from "../engine/block/block.js";
import { attention, type Dimension, paddingScores, reshape, transpose, type Value } from "../engine/index.js";
import { dense } from "./layers.js";
import { rotated, type RotaryTables } from "./rotary.js";

export interface AttentionOptions {
  readonly heads: number;
  /** Dropout of the attention probabilities. */
  readonly dropout: number;
  /** Turns query and key by their places. */
  readonly rotary?: RotaryTables;
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
  const [query, key, value] = ["query", "key", "value"].map((part) => dense(scope, `${name}.${part}`, x));
  return dense(scope, `${name}.output`, multiHeadAttention(scope, { query, key, value }, bias, options));
}

/** Attention of projected query, key and value [batch, seq, width], each head by itself, the heads joined: [batch, seq, width]. */
export function multiHeadAttention(
  scope: BlockScope,
  projected: { readonly query: Value; readonly key: Value; readonly value: Value },
  bias: Value,
  { heads, dropout, rotary }: AttentionOptions,
): Value {
  const [batch, seq, width] = projected.query.shape;
  const head = headWidth(width, heads);
  const split = (x: Value) => transpose(reshape(x, [batch, seq, heads, head]), [0, 2, 1, 3]); // [batch, heads, seq, head]
  const placed = (x: Value) => (rotary === undefined ? split(x) : rotated(split(x), rotary));
  const mask = scope.dropoutMask([batch, heads, seq, seq], dropout);
  const [query, key, value] = [placed(projected.query), placed(projected.key), split(projected.value)];
  const context = attention(query, key, value, { scale: 1 / Math.sqrt(head), bias, mask });
  return reshape(transpose(context, [0, 2, 1, 3]), projected.query.shape);
}

/** The width of one head. */
export function headWidth(width: Dimension, heads: number): number {
  if (typeof width !== "number" || width % heads !== 0) throw new Error(`internal: ${heads} heads do not divide a width of ${width}`);
  return width / heads;
}
