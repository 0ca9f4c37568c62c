/**
 * Disentangled self-attention (He et al. 2021, "DeBERTa"; reference implementation: transformers' modeling_deberta_v2). Beside content to
 * content, a score has terms in which the one side is an embedding of the distance δ = i − j between query i and key j, δ in buckets:
 *
 *     S[i,j] = s·(Qᵢ·Kⱼ + Qᵢ·Kʳ[u(δ)] + Kⱼ·Qʳ[u(δ)]),   s = 1/√(head·terms)
 *
 * PyTorch computes a product for each bucket and gathers [seq, seq] of them for every head and sample. Here the tables are put into order
 * of distance first (2·seq rows, for all samples at once), and the products are skewed, row i by i places: slices instead of gathers, and in
 * the backward pass pads instead of scatters (docs/decisions/040).
 */
import type { BlockScope } from "../engine/block/block.js";
import {
  add,
  attention,
  constant,
  gather,
  matmul,
  mul,
  multiplyDimensions,
  reshape,
  slice,
  subtractDimensions,
  transpose,
  transposed,
  type Value,
} from "../engine/index.js";
import { headWidth, paddingBias } from "./attention.js";
import { type DistanceTable, distanceRow } from "./distance-buckets.js";
import { dense, norm } from "./layers.js";
import { type Declarations, denseParameters, embeddingParameters, normParameters } from "./parameters.js";
import { skewed } from "./skew.js";

export interface RelativePositions extends DistanceTable {
  /** The longest sequence. */
  readonly longest: number;
  readonly contentToPosition: boolean;
  readonly positionToContent: boolean;
  /** Distances go through the query and key layers of the content, not through layers of their own. */
  readonly shared: boolean;
  /** Dropout of the table. */
  readonly dropout: number;
  /** Epsilon of the table's norm; undefined where it has none. */
  readonly epsilon: number | undefined;
}

export interface DisentangledAttentionOptions {
  readonly heads: number;
  /** Dropout of the attention probabilities. */
  readonly dropout: number;
  /** How many terms the scale counts, content to content among them. */
  readonly terms: number;
  readonly relative: RelativePositions | undefined;
}

/** The layers under `name`, those of a table of distances where it has its own among them. */
export function disentangledAttentionParameters(
  name: string,
  width: number,
  deviation: number,
  relative: RelativePositions | undefined,
): Declarations {
  const own = relative !== undefined && !relative.shared;
  const layers = [
    ...["query", "key", "value", "output"],
    ...(own && relative.contentToPosition ? ["position_key"] : []),
    ...(own && relative.positionToContent ? ["position_query"] : []),
  ];
  return Object.assign({}, ...layers.map((layer) => denseParameters(`${name}.${layer}`, width, width, deviation))) as Declarations;
}

/** The table of distances, which all layers share: `relative.embeddings`, and `relative.norm` where it is normalised. */
export function relativeParameters(width: number, deviation: number, { span, epsilon }: RelativePositions): Declarations {
  return {
    ...embeddingParameters("relative.embeddings", 2 * span, width, deviation),
    ...(epsilon === undefined ? {} : normParameters("relative.norm", width)),
  };
}

/**
 * Self-attention of x [batch, seq, hidden] with the layers `query`, `key`, `value` and `output` under `name`; `real` [batch, seq] is 1 for
 * tokens and 0 for padding. What padding itself attends to is everything alike, as in transformers: nothing real reads it, but a loss over
 * all positions does.
 */
export function disentangledSelfAttention(
  scope: BlockScope,
  name: string,
  x: Value,
  real: Value,
  options: DisentangledAttentionOptions,
): Value {
  const [batch, seq, width] = x.shape;
  const { heads, terms, relative } = options;
  const head = headWidth(width, heads);
  const scale = 1 / Math.sqrt(head * terms);
  const split = (projected: Value) => transpose(reshape(projected, [batch, seq, heads, head]), [0, 2, 1, 3]); // [batch, heads, seq, head]
  const queryIsReal = reshape(real, [batch, 1, seq, 1]);
  const keyBias = paddingBias(real);
  const [query, key, value] = ["query", "key", "value"].map((part) => split(dense(scope, `${name}.${part}`, x)));
  const seen = mul(query, queryIsReal);
  const scores = relative === undefined ? keyBias : add(distanceScores(scope, name, seen, key, scale, relative), keyBias);
  const bias = mul(scores, queryIsReal); // [batch, heads or 1, seq, seq]
  const mask = scope.dropoutMask([batch, heads, seq, seq], options.dropout);
  const context = attention(seen, key, value, { scale, bias, mask });
  return dense(scope, `${name}.output`, reshape(transpose(context, [0, 2, 1, 3]), x.shape));
}

/** scale·(Qᵢ·Kʳ[u(i − j)] + Kⱼ·Qʳ[u(i − j)]), or the one of the two that there is: [batch, heads, seq, seq]. */
function distanceScores(scope: BlockScope, name: string, query: Value, key: Value, scale: number, relative: RelativePositions): Value {
  const { longest, dropout, epsilon, shared, contentToPosition, positionToContent } = relative;
  const [, heads, seq, head] = query.shape;
  const rows = scope.parameters["relative.embeddings.weight"]; // [2·span, hidden]
  const table = scope.dropout(epsilon === undefined ? rows : norm(scope, "relative.norm", rows, epsilon), dropout);
  const count = multiplyDimensions(2, seq);
  /**
   * The table through a layer, its rows in an order of distance: [1, heads, 2·seq, head]. `order` is that of the longest sequence, of which
   * a shorter one has the middle.
   */
  const inOrder = (layer: string, order: readonly number[]) => {
    const places = constant(
      "int64",
      [2 * longest],
      order.map((distance) => distanceRow(distance, relative)),
    );
    const used = slice(places, 0, subtractDimensions(longest, seq), count);
    const picked = gather(dense(scope, `${name}.${layer}`, table), used); // [2·seq, hidden]
    return reshape(transpose(reshape(picked, [count, heads, head]), [1, 0, 2]), [1, heads, count, head]);
  };
  const scores: Value[] = [];
  if (contentToPosition) {
    // column c of row i: δ = seq − 1 − c, so that key j = i − δ stands at c = j − i + seq − 1
    const order = Array.from({ length: 2 * longest }, (_, place) => longest - 1 - place);
    const keys = inOrder(shared ? "key" : "position_key", order);
    scores.push(skewed(matmul(query, keys, { transposeB: true, scale })));
  }
  if (positionToContent) {
    // the same for the rows j: δ = c − (seq − 1), query i = j + δ
    const order = Array.from({ length: 2 * longest }, (_, place) => place - (longest - 1));
    const queries = inOrder(shared ? "query" : "position_query", order);
    scores.push(transposed(skewed(matmul(key, queries, { transposeB: true, scale }))));
  }
  return scores.reduce(add);
}
