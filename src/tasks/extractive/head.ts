/**
 * The head of an extractive reader: two logits a token, the answer's start and its end, and the loss, the mean of the
 * cross-entropies of both over the positions of the window (Devlin et al. 2019, section 4.2).
 */
import type { Block, Network } from "../../engine/block/block.js";
import { add, cast, equal, iota, logSoftmax, mul, neg, paddingScores, reshape, slice, sum, symbol, type Value } from "../../engine/index.js";
import type { Encoder } from "../../models/define-model.js";
import { dense } from "../../nn/layers.js";
import { checkpointNames, denseParameters } from "../../nn/parameters.js";

export interface HeadOptions {
  /** Leave padding out of the softmax over positions. transformers lets it in. */
  readonly maskPadding: boolean;
}

const [batch, seq] = [symbol("batch"), symbol("seq")];
const positions = { dtype: "int64", shape: [batch] } as const;
const weights = { dtype: "float32", shape: [batch] } as const;

function head(width: number, dropout: number, deviation: number, { maskPadding }: HeadOptions): Block {
  return {
    kind: "reader head",
    options: { width, dropout, deviation, maskPadding },
    inputs: {
      x: { dtype: "float32", shape: [batch, seq, width] },
      attention_mask: { dtype: "int64", shape: [batch, seq] },
      start_positions: positions,
      end_positions: positions,
      start_weights: weights,
      end_weights: weights,
    },
    parameters: denseParameters("output", width, 2, deviation),
    build: (scope) => {
      const { x, attention_mask, start_positions, end_positions, start_weights, end_weights } = scope.inputs;
      const logits = dense(scope, "output", scope.dropout(x, dropout)); // [batch, seq, 2]
      const [start, end] = [0, 1].map((index) => reshape(slice(logits, 2, index, 1), [batch, seq]));
      const bias = paddingScores(attention_mask); // [batch, seq]
      const seen = (value: Value) => (maskPadding ? add(value, bias) : value);
      const start_losses = crossEntropies(seen(start), start_positions);
      const end_losses = crossEntropies(seen(end), end_positions);
      const loss = add(sum(mul(start_losses, start_weights)), sum(mul(end_losses, end_weights)));
      return { start_logits: start, end_logits: end, loss };
    },
  };
}

/** −log softmax at the target of each row: [batch, seq] and int64 [batch] → [batch]; 0 for a target outside the row. */
function crossEntropies(logits: Value, targets: Value): Value {
  const chosen = cast(equal(iota(seq), reshape(targets, [batch, 1])), "float32"); // [batch, seq]
  return neg(sum(mul(logSoftmax(logits), chosen), [1]));
}

/**
 * The encoder with the head behind it. Beside the encoder's inputs the network reads start_positions and end_positions int64
 * [batch], and start_weights and end_weights [batch]: what each sample's cross-entropies count for in `loss`, a sum. With
 * weights of ½/N for the N samples of an optimizer step, the losses of its micro-batches add up to the step's mean.
 */
export function readerNetwork(encoder: Encoder, options: HeadOptions): Network {
  const block = head(encoder.width, encoder.head.dropout, encoder.deviation, options);
  return {
    inputs: {
      ...encoder.network.inputs,
      start_positions: positions,
      end_positions: positions,
      start_weights: weights,
      end_weights: weights,
    },
    calls: [
      ...encoder.network.calls,
      ...encoder.head.calls,
      {
        block,
        name: encoder.head.output,
        inputs: {
          x: encoder.head.reads,
          attention_mask: "attention_mask",
          start_positions: "start_positions",
          end_positions: "end_positions",
          start_weights: "start_weights",
          end_weights: "end_weights",
        },
        outputs: { start_logits: "start_logits", end_logits: "end_logits", loss: "loss" },
        parameters: checkpointNames(block.parameters, "", { output: encoder.head.output }),
      },
    ],
  };
}
