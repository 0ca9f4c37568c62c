/**
 * What the graph of a trained network goes through before it is written: rearrangements that every runtime profits by, and operators of
 * ONNX Runtime that do more at a time. Only what was measured to be faster is here (docs/decisions/035).
 */
import type { Graph } from "../graph/graph.js";
import { foldAttentionScale } from "./attention-scale.js";
import { fuseMultiHeadAttention } from "./multi-head-attention.js";

/** The same function of the same inputs, its constant factors multiplied into the weights. */
export function foldForInference(graph: Graph): Graph {
  return foldAttentionScale(graph);
}

/** The same function of the same inputs in operators that ONNX Runtime alone has. */
export function fuseForInference(graph: Graph): Graph {
  return fuseMultiHeadAttention(graph);
}
