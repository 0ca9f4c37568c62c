/** A gated linear unit (Shazeer 2020): act(x·Wᵃ) ∘ x·Wᵍ, then a layer back to the width. With gelu it is GeGLU, with silu SwiGLU. */
import type { BlockScope } from "../engine/block/block.js";
import { mul, split, type Value } from "../engine/index.js";
import { type ActivationName, activations, dense } from "./layers.js";

export interface GatedFeedForwardOptions {
  /** Width of the gate. */
  readonly intermediate: number;
  readonly activation: ActivationName;
  /** Dropout of the gated values. */
  readonly dropout: number;
}

/** x [..., width] → [..., width] with the layers `input`, whose outputs are the activated half and then the gate, and `output` under `name`. */
export function gatedFeedForward(scope: BlockScope, name: string, x: Value, options: GatedFeedForwardOptions): Value {
  const { intermediate, activation, dropout } = options;
  const [activated, gate] = split(dense(scope, `${name}.input`, x), [intermediate, intermediate], x.rank - 1);
  return dense(scope, `${name}.output`, scope.dropout(mul(activations[activation](activated), gate), dropout));
}
