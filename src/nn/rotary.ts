/**
 * Rotary position embeddings (Su et al. 2021): query and key are turned by an angle for each pair of elements that grows with their place, so
 * that their product depends on the distance alone. Element i is paired with element i + head/2, as in GPT-NeoX and in transformers.
 */
import { add, cast, concat, constant, cos, type Dimension, mul, reshape, sin, split, sub, type Value } from "../engine/index.js";

export interface RotaryOptions {
  /** Width of a head: even. */
  readonly head: number;
  /** θ: the slowest pair turns by θ^(2/head − 1) a place. */
  readonly theta: number;
}

export interface RotaryTables {
  /** Each [positions, head/2]. */
  readonly cosines: Value;
  readonly sines: Value;
}

/** cos(p·θ^(−2i/head)) and sin of the same for positions int64 [positions] and pairs i. */
export function rotaryTables(positions: Value, { head, theta }: RotaryOptions): RotaryTables {
  const float = Math.fround; // step by step, as PyTorch rounds
  const speeds = Array.from({ length: head / 2 }, (_, pair) => float(1 / float(theta ** float((2 * pair) / head))));
  const angles = mul(reshape(cast(positions, "float32"), [positions.shape[0], 1]), constant("float32", [1, head / 2], speeds));
  return { cosines: cos(angles), sines: sin(angles) };
}

/** (a, b) → (a·cos − b·sin, b·cos + a·sin) for the halves a and b of x [batch, heads, positions, head]. */
export function rotated(x: Value, { cosines, sines }: RotaryTables): Value {
  const half: Dimension = cosines.shape[1];
  const [a, b] = split(x, [half, half], 3);
  return concat([sub(mul(a, cosines), mul(b, sines)), add(mul(b, cosines), mul(a, sines))], 3);
}
