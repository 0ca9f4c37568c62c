/**
 * Self-attention from the projected hidden states to the joined heads as one operator: the heads are cut, the scores masked and the heads
 * joined inside it. It takes the padding mask itself, so it fits only where the bias is nothing but that mask.
 */
import { sameShape, type Shape } from "../graph/dimension.js";
import type { Graph } from "../graph/graph.js";
import { rewriteGraph } from "../graph/rewrite.js";
import type { Value } from "../graph/value.js";
import { attention, Attention } from "../ops/attention.js";
import { constantOf } from "../ops/constant.js";
import { defineOp, requireRank, requireSame, requireType, ShapeError } from "../ops/define-op.js";
import { paddingScore, paddingScores } from "../ops/masks.js";
import { tensorOf } from "../ops/sample.js";
import { cast } from "../ops/select.js";
import { reshape, transpose } from "../ops/shape.js";
import { countUses } from "./uses.js";

type Heads = { readonly heads: number; readonly scale: number };

const apart = [0, 2, 1, 3];

/** query, key, value [batch, seq, width] and a mask int32 [batch, seq], 1 for keys that are seen → [batch, seq, width] */
const MultiHeadAttention = defineOp<Heads>({
  name: "MultiHeadAttention",
  infer: ([query, key, value, mask], { heads }) => {
    for (const [what, tensor] of Object.entries({ query, key, value })) requireRank(tensor, 3, what);
    requireType(mask, ["int32"], "the mask");
    const [, , width] = query.shape;
    if (typeof width !== "number" || width % heads !== 0)
      throw new ShapeError(`the width should be a multiple of ${heads} heads, got ${width}`);
    requireSame(mask.shape[1], key.shape[1], "the length of mask and key");
    return [query];
  },
  expand: ([query, key, value, mask], { heads, scale }) => {
    const width = query.shape[2] as number;
    const split = (x: Value) => transpose(reshape(x, [x.shape[0], x.shape[1], heads, width / heads]), apart);
    const bias = reshape(paddingScores(mask), [mask.shape[0], 1, 1, mask.shape[1]]);
    const context = attention(split(query), split(key), split(value), { scale, bias });
    return [reshape(transpose(context, apart), query.shape)];
  },
  cost: "heavy",
  lowerFused: (emit, [query, key, value, mask], { attributes: { heads, scale } }) => [
    emit.node("MultiHeadAttention", [query, key, value, "", mask], {
      domain: "com.microsoft",
      attributes: { num_heads: heads, scale: { float: scale }, mask_filter_value: { float: paddingScore } },
    }),
  ],
  sample: (random) => [
    {
      // of width 1, since the width must be known; whole readers are in inference.test.ts
      inputs: [random.normal([2, 3, 1]), random.normal([2, 3, 1]), random.normal([2, 3, 1]), tensorOf("int32", [2, 3], [1, 1, 1, 1, 1, 0])],
      attributes: { heads: 1, scale: 0.5 },
      gradientOf: [0, 1, 2],
    },
  ],
});

/** The mask behind a bias of the form (1 − mask)·(a large negative number), spread over heads and queries: int64 [batch, seq]. */
function paddingMask(bias: Value): Value | undefined {
  if (bias.rank !== 4 || bias.shape[1] !== 1 || bias.shape[2] !== 1 || bias.node?.op.name !== "Reshape") return undefined;
  const [product] = bias.node.inputs;
  const [difference, factor] = product.node?.op.name === "Mul" ? product.node.inputs : [];
  const [one, mask] = difference?.node?.op.name === "Sub" ? difference.node.inputs : [];
  const number = (value: Value | undefined) => (value === undefined || value.rank > 0 ? undefined : Number(constantOf(value)?.data[0]));
  if (number(one) !== 1 || !((number(factor) ?? 0) <= -1e4) || mask.node?.op.name !== "Cast") return undefined;
  const [integers] = mask.node.inputs;
  return integers.rank === 2 && ["int64", "int32"].includes(integers.dtype) ? integers : undefined;
}

/** x [batch, seq, width] behind transpose(reshape(x, [batch, seq, heads, head])). */
function joined(value: Value): Value | undefined {
  const reshaped =
    value.node?.op.name === "Transpose" && sameShape(value.node.attributes.permutation as Shape, apart) ? value.node.inputs[0] : undefined;
  if (reshaped?.node?.op.name !== "Reshape") return undefined;
  const [batch, seq, heads, head] = reshaped.shape;
  return typeof heads === "number" && typeof head === "number" ? reshape(reshaped.node.inputs[0], [batch, seq, heads * head]) : undefined;
}

/** reshape(transpose(Attention(split q, split k, split v, padding bias))) → MultiHeadAttention(q, k, v, mask) */
export function fuseMultiHeadAttention(graph: Graph): Graph {
  const uses = countUses(graph);
  return rewriteGraph(graph, (node, original) => {
    if (node.op.name !== "Reshape") return undefined;
    const [transposed] = node.inputs;
    if (transposed.node?.op.name !== "Transpose" || !sameShape(transposed.node.attributes.permutation as Shape, apart)) return undefined;
    const inner = transposed.node.inputs[0].node;
    if (inner?.op !== (Attention as unknown) || inner!.inputs.length !== 4) return undefined;
    const [, ...probabilities] = original.inputs[0].node!.inputs[0].node!.outputs;
    const [query, key, value] = inner!.inputs.slice(0, 3).map(joined);
    const mask = paddingMask(inner!.inputs[3]);
    const fits =
      query !== undefined &&
      key !== undefined &&
      value !== undefined &&
      mask !== undefined &&
      sameShape(query.shape, node.outputs[0].shape);
    if (!fits || probabilities.some((output) => uses.has(output))) return undefined;
    const attributes = { heads: inner!.inputs[0].shape[1] as number, scale: inner!.attributes.scale as number };
    return MultiHeadAttention.apply([query, key, value, cast(mask, "int32")], attributes);
  });
}
