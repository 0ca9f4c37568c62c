/** The transformer encoder layer that BERT, DistilBERT and RoBERTa share: attention and feed-forward, each followed by its norm; what follows attention is DeBERTa's too. */
import type { Block, BlockScope } from "../engine/block/block.js";
import { add, symbol, type Value } from "../engine/index.js";
import { selfAttention } from "./attention.js";
import { type ActivationName, activations, dense, norm } from "./layers.js";
import { type Declarations, denseParameters, normParameters } from "./parameters.js";

export interface EncoderLayerOptions {
  readonly width: number;
  readonly heads: number;
  /** Width of the feed-forward layer. */
  readonly intermediate: number;
  readonly activation: ActivationName;
  readonly epsilon: number;
  readonly dropout: number;
  /** Dropout after feed-forward, where it is another. */
  readonly feedForwardDropout?: number;
  readonly attentionDropout: number;
  /** Whether the layer also reads a bias of distances [1, heads, seq, seq]. */
  readonly relative?: boolean;
  /** Standard deviation of fresh weights. */
  readonly deviation: number;
}

/** x [batch, seq, width], bias [batch, 1, 1, seq] and, where it is relative, distances [1, heads, seq, seq] → x [batch, seq, width] */
export function postNormEncoderLayer(options: EncoderLayerOptions): Block {
  const { width, heads, attentionDropout, relative = false, deviation } = options;
  const [batch, seq] = [symbol("batch"), symbol("seq")];
  return {
    kind: "encoder layer",
    options,
    inputs: {
      x: { dtype: "float32", shape: [batch, seq, width] },
      bias: { dtype: "float32", shape: [batch, 1, 1, seq] },
      ...(relative && { distances: { dtype: "float32", shape: [1, heads, seq, seq] } }),
    },
    parameters: {
      ...["query", "key", "value", "output"].reduce((all, part) => ({ ...all, ...denseParameters(`attention.${part}`, width, width, deviation) }), {}),
      ...afterAttentionParameters(options),
    },
    build: (scope) => {
      const { x, bias, distances } = scope.inputs;
      const attended = selfAttention(scope, "attention", x, relative ? add(distances, bias) : bias, { heads, dropout: attentionDropout });
      return { x: afterAttention(scope, x, attended, options) };
    },
  };
}

/** The parameters of what follows attention. */
export function afterAttentionParameters({ width, intermediate, deviation }: EncoderLayerOptions): Declarations {
  return {
    ...normParameters("attention.norm", width),
    ...denseParameters("intermediate", width, intermediate, deviation),
    ...denseParameters("output", intermediate, width, deviation),
    ...normParameters("norm", width),
  };
}

/** What follows attention in the layer: the sum with the layer's input x and its norm, then feed-forward, its sum and norm. */
export function afterAttention(scope: BlockScope, x: Value, attended: Value, options: EncoderLayerOptions): Value {
  const { activation, dropout, feedForwardDropout = dropout, epsilon } = options;
  const middle = norm(scope, "attention.norm", add(scope.dropout(attended, dropout), x), epsilon);
  const grown = dense(scope, "output", activations[activation](dense(scope, "intermediate", middle)));
  return norm(scope, "norm", add(scope.dropout(grown, feedForwardDropout), middle), epsilon);
}
