/**
 * Scaled dot-product attention (Vaswani et al. 2017) with an additive bias and dropout on the probabilities. It is one op and
 * not a composition because its gradient needs two passes fewer over the [seq, seq] matrices than its parts' gradients do:
 * the row sums of the softmax's gradient are those of dy∘y (Dao et al. 2022, appendix B.4), and dropout's gradient folds into it.
 */
import type { Value } from "../graph/value.js";
import { mul, sub } from "./arithmetic.js";
import { broadcastShapes, defineOp, requireRank, requireSame } from "./define-op.js";
import { matmul } from "./matmul.js";
import { sum } from "./reduction.js";
import { tensorOf } from "./sample.js";

type AttentionAttributes = { readonly scale: number; readonly biased: boolean; readonly dropped: boolean };

export const Attention = defineOp<AttentionAttributes>({
  name: "Attention",
  infer: ([query, key, value, ...rest], { biased, dropped }) => {
    for (const [what, tensor] of Object.entries({ query, key, value })) requireRank(tensor, 4, what);
    requireSame(query.shape[3], key.shape[3], "the width of query and key");
    requireSame(key.shape[2], value.shape[2], "the length of key and value");
    const scores = [...query.shape.slice(0, 3), key.shape[2]];
    if (biased) broadcastShapes(scores, rest[0].shape);
    const probabilities = { dtype: query.dtype, shape: scores };
    return [{ dtype: query.dtype, shape: [...query.shape.slice(0, 3), value.shape[3]] }, probabilities, ...(dropped ? [probabilities] : [])];
  },
  // S = s·QKᵀ + B, P = softmax S, P̃ = P∘M, Y = P̃V:
  // dV = P̃ᵀdY, dP̃ = dY·Vᵀ, dS = P̃∘dP̃ − P∘rowsum(dY∘Y), dQ = s·dS·K, dK = s·dSᵀ·Q, dB = dS
  vjp: ({ dy, inputs: [query, key, value], outputs: [y, probabilities, kept], attributes: { scale, biased, dropped }, needed }) => {
    const weights = dropped ? kept : probabilities;
    const rowSums = sum(mul(dy, y), [-1], { keepDimensions: true });
    const dWeights = matmul(dy, value, { transposeB: true });
    const dScores = dropped ? sub(mul(dWeights, kept), mul(probabilities, rowSums)) : mul(probabilities, sub(dWeights, rowSums));
    return [
      needed[0] ? matmul(dScores, key, { scale }) : undefined,
      needed[1] ? matmul(dScores, query, { transposeA: true, scale }) : undefined,
      needed[2] ? matmul(weights, dy, { transposeA: true }) : undefined,
      ...(biased ? [needed[3] ? dScores : undefined] : []),
    ];
  },
  cost: "heavy",
  lower: (emit, [query, key, value, ...rest], { attributes: { scale, biased, dropped }, inputs: [{ dtype }] }) => {
    const raw = emit.fused
      ? emit.node("FusedMatMul", [query, key], { domain: "com.microsoft", attributes: { transA: 0, transB: 1, alpha: { float: scale } } })
      : emit.node("Mul", [emit.node("MatMul", [query, emit.node("Transpose", [key], { attributes: { perm: [0, 1, 3, 2] } })]), emit.float(scale, dtype)]);
    const scores = biased ? emit.node("Add", [raw, rest[0]]) : raw;
    const probabilities = emit.node("Softmax", [scores], { attributes: { axis: -1 } });
    const kept = dropped ? emit.node("Mul", [probabilities, rest[biased ? 1 : 0]]) : probabilities;
    return [emit.node("MatMul", [kept, value]), probabilities, ...(dropped ? [kept] : [])];
  },
  sample: (random) => {
    const heads = () => random.normal([2, 2, 3, 4]);
    const keys = () => random.normal([2, 2, 5, 4]);
    const mask = tensorOf("float32", [2, 2, 3, 5], Array.from({ length: 60 }, (_, i) => (i % 7 === 0 ? 0 : 1.25)));
    const empty = (length: number) => random.normal([0, 2, length, 4]);
    return [
      { inputs: [empty(3), empty(5), empty(5)], attributes: { scale: 0.5, biased: false, dropped: false } },
      { inputs: [heads(), keys(), keys()], attributes: { scale: 0.5, biased: false, dropped: false } },
      { inputs: [heads(), keys(), keys(), random.normal([2, 1, 1, 5])], attributes: { scale: 0.5, biased: true, dropped: false } },
      { inputs: [heads(), keys(), keys(), random.normal([1, 2, 3, 5]), mask], attributes: { scale: 0.5, biased: true, dropped: true }, gradientOf: [0, 1, 2, 3] },
    ];
  },
});

/**
 * softmax(scale·QKᵀ + bias)∘mask · V: query [batch, heads, queries, width], key and value [batch, heads, keys, width],
 * bias broadcasts to [batch, heads, queries, keys], `mask` holds 0 or 1/(1 − rate) → [batch, heads, queries, width].
 */
export function attention(query: Value, key: Value, value: Value, options: { scale: number; bias?: Value; mask?: Value }): Value {
  const { scale, bias, mask } = options;
  const extras = [bias, mask].filter((extra): extra is Value => extra !== undefined);
  return Attention.apply([query, key, value, ...extras], { scale, biased: bias !== undefined, dropped: mask !== undefined })[0];
}
