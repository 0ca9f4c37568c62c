/** A residual connection and the norm behind it are one operator, which takes the bias of the layer before them along. */
import { sameShape } from "../graph/dimension.js";
import type { Graph } from "../graph/graph.js";
import { rewriteGraph } from "../graph/rewrite.js";
import type { Value } from "../graph/value.js";
import { Add, add } from "../ops/arithmetic.js";
import { defineOp, requireSame } from "../ops/define-op.js";
import { Linear } from "../ops/matmul.js";
import { layerNorm, LayerNormalization } from "../ops/normalisation.js";
import { countUses } from "./uses.js";

type Epsilon = { readonly epsilon: number };

const SkipLayerNormalization = defineOp<Epsilon>({
  name: "SkipLayerNormalization",
  infer: ([x, , gain]) => {
    requireSame(gain.shape[0], x.shape[x.rank - 1], "the gain and the last dimension");
    return [x];
  },
  expand: ([x, skip, gain, bias, addend], { epsilon }) => [layerNorm(add(addend === undefined ? x : add(x, addend), skip), gain, bias, epsilon)],
  cost: "heavy",
  lowerFused: (emit, inputs, { attributes: { epsilon } }) => [
    emit.node("SkipLayerNormalization", inputs, { domain: "com.microsoft", attributes: { epsilon: { float: epsilon } } }),
  ],
  sample: (random) => {
    const vectors = (width: number, count: number) => Array.from({ length: count }, () => random.normal([width]));
    return [
      { inputs: [random.normal([2, 3, 4]), random.normal([2, 3, 4]), ...vectors(4, 3)], attributes: { epsilon: 1e-5 } },
      { inputs: [random.normal([1, 2, 5]), random.normal([1, 2, 5]), ...vectors(5, 2)], attributes: { epsilon: 1e-3 } },
    ];
  },
});

/** LayerNormalization(x·Wᵀ + b + skip) → SkipLayerNormalization(x·Wᵀ, skip, b); statistics that something reads keep the norm as it is. */
export function fuseSkipLayerNormalization(graph: Graph): Graph {
  const uses = countUses(graph);
  return rewriteGraph(graph, (node, original) => {
    if (node.op !== (LayerNormalization as unknown) || original.outputs.slice(1).some((value) => uses.has(value))) return undefined;
    const [sum, gain, bias] = node.inputs;
    if (sum.node?.op !== (Add as unknown) || uses.get(original.inputs[0]) !== 1) return undefined;
    const [a, b] = sum.node!.inputs;
    if (!sameShape(a.shape, b.shape)) return undefined;
    const isLayer = (value: Value) => value.node?.op === (Linear as unknown) && value.node!.inputs.length > 2;
    const before = original.inputs[0].node!.inputs.findIndex((value) => isLayer(value) && uses.get(value) === 1);
    const layer = before >= 0 ? sum.node!.inputs[before].node : undefined;
    const inputs = layer === undefined ? [a, b, gain, bias] : [Linear.apply(layer.inputs.slice(0, 2))[0], before === 0 ? b : a, gain, bias, layer.inputs[2]];
    const [y] = SkipLayerNormalization.apply(inputs, node.attributes as Epsilon);
    return [y, node.outputs[1], node.outputs[2]];
  });
}
