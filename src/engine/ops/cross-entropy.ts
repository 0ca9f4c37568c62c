/**
 * The negative log-likelihood of labels. One op gives ln softmax(logits)[label] with a gradient that is one pass over the
 * probabilities; which label counts how much is composed around it.
 */
import type { Value } from "../graph/value.js";
import { mul } from "./arithmetic.js";
import { equal, not } from "./comparison.js";
import { defineOp, requireSame, requireType, ShapeError } from "./define-op.js";
import { exp, neg } from "./elementwise.js";
import { scatterAddAlong } from "./gather-along.js";
import { sum } from "./reduction.js";
import { tensorOf } from "./sample.js";
import { cast, where } from "./select.js";
import { reshape } from "./shape.js";

export const LabelLogProbability = defineOp({
  name: "LabelLogProbability",
  infer: ([logits, labels]) => {
    requireType(labels, ["int64"], "the labels");
    if (labels.rank !== logits.rank - 1) throw new ShapeError("the labels should have the logits' shape without its last dimension");
    labels.shape.forEach((dimension, axis) => requireSame(dimension, logits.shape[axis], `dimension ${axis} of the logits and the labels`));
    return [{ dtype: logits.dtype, shape: labels.shape }, logits];
  },
  // y = ln p[label], p = softmax(logits): ∂y/∂logits = onehot(label) − p
  vjp: ({ dy, inputs: [, labels], outputs: [, logProbabilities] }) => {
    const column = [...labels.shape, 1];
    const dRow = reshape(dy, column);
    return [scatterAddAlong(mul(exp(logProbabilities), neg(dRow)), reshape(labels, column), dRow, -1), undefined];
  },
  cost: "heavy",
  lower: (emit, [logits, labels]) => {
    const logProbabilities = emit.node("LogSoftmax", [logits], { attributes: { axis: -1 } });
    const last = emit.int64([-1]);
    const picked = emit.node("GatherElements", [logProbabilities, emit.node("Unsqueeze", [labels, last])], { attributes: { axis: -1 } });
    return [emit.node("Squeeze", [picked, last]), logProbabilities];
  },
  sample: (random) => [
    { inputs: [random.normal([3, 5]), tensorOf("int64", [3], [4, 0, 4])] },
    { inputs: [random.normal([2, 3, 4]), random.integers([2, 3], 4)] },
    { inputs: [random.normal([4]), tensorOf("int64", [], [2])] },
    { inputs: [random.normal([2, 1]), tensorOf("int64", [2], [0, 0])] },
    { inputs: [random.normal([0, 3]), tensorOf("int64", [0], [])] },
  ],
});

/** ln softmax(logits)[label]: logits [..., classes], int64 labels [...] within [0, classes) → [...]. */
export function labelLogProbability(logits: Value, labels: Value): Value {
  return LabelLogProbability.apply([logits, labels])[0];
}

/** The label that marks a position without one, as in PyTorch and transformers. */
export const ignoredLabel = -100;

export interface CrossEntropy {
  /** Σ weight · −ln softmax(logits)[label] over the positions that have a label: a scalar. */
  readonly sum: Value;
  /** Σ weight over the same positions (their number where there are no weights): a scalar without a gradient. */
  readonly weight: Value;
}

/**
 * The cross-entropy of logits [..., classes] and int64 labels [...], summed; the mean is `sum / weight`, taken by the caller over as
 * many batches as belong together. A position whose label is −100 counts nothing. `weights` [...] say how much the others count
 * (a soft mask). Classes are masked out by adding a large negative number to their logits.
 */
export function crossEntropy(logits: Value, labels: Value, options: { weights?: Value } = {}): CrossEntropy {
  const counted = not(equal(labels, ignoredLabel));
  const mask = cast(counted, "float32");
  const weights = options.weights === undefined ? mask : mul(mask, options.weights);
  const logLikelihood = labelLogProbability(logits, where(counted, labels, 0));
  return { sum: neg(sum(mul(logLikelihood, weights))), weight: sum(weights) };
}
