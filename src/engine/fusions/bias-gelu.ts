/** GELU of a linear layer takes the layer's bias along: one pass over the widest activations of a transformer instead of two. */
import type { Graph } from "../graph/graph.js";
import { rewriteGraph } from "../graph/rewrite.js";
import { Gelu, gelu } from "../ops/activations.js";
import { add } from "../ops/arithmetic.js";
import { defineOp, requireSame } from "../ops/define-op.js";
import { Linear } from "../ops/matmul.js";

const BiasGelu = defineOp({
  name: "BiasGelu",
  infer: ([x, bias]) => {
    requireSame(bias.shape[0], x.shape[x.rank - 1], "the bias and the last dimension");
    return [x];
  },
  expand: ([x, bias]) => [gelu(add(x, bias))],
  cost: "elementwise",
  lowerFused: (emit, inputs) => [emit.node("BiasGelu", inputs, { domain: "com.microsoft" })],
  sample: (random) => [{ inputs: [random.normal([2, 3, 4]), random.normal([4])] }, { inputs: [random.normal([0, 2]), random.normal([2])] }],
});

/** Gelu(x·Wᵀ + b) → BiasGelu(x·Wᵀ, b) */
export function fuseBiasGelu(graph: Graph): Graph {
  return rewriteGraph(graph, (node) => {
    const layer = node.op === (Gelu as unknown) ? node.inputs[0].node : undefined;
    if (layer?.op !== (Linear as unknown) || layer!.inputs.length < 3) return undefined;
    const [x, weight, bias] = layer!.inputs;
    return BiasGelu.apply([Linear.apply([x, weight])[0], bias]);
  });
}
