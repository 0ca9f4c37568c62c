/** The fusions that inference graphs go through before they are written for ONNX Runtime, in their order. */
import type { Graph } from "../graph/graph.js";
import { fuseBiasGelu } from "./bias-gelu.js";
import { fuseMultiHeadAttention } from "./multi-head-attention.js";
import { fuseSkipLayerNormalization } from "./skip-layer-normalization.js";

const fusions = [fuseMultiHeadAttention, fuseBiasGelu, fuseSkipLayerNormalization];

/** The same function of the same inputs, with operators that do more at a time; each was measured to be faster (docs/exporting.md). */
export function fuseForInference(graph: Graph): Graph {
  return fusions.reduce((current, fuse) => fuse(current), graph);
}
