/**
 * The factor 1/√head of attention's scores, multiplied into the weights of the query layer: (s·q)·k = s·(q·k). Where weights are constants it
 * costs nothing then, while the standard has no product with a factor, and a pass over the [seq, seq] matrices it would be.
 */
import type { Graph } from "../graph/graph.js";
import { rewriteGraph } from "../graph/rewrite.js";
import type { Value } from "../graph/value.js";
import { Attention } from "../ops/attention.js";
import { constantOf, constantView } from "../ops/constant.js";
import { linear, Linear } from "../ops/matmul.js";
import { reshape, transpose } from "../ops/shape.js";
import { countUses } from "./uses.js";

/** Attention(split(x·Wᵀ + b), …; scale) → Attention(split(x·(scale·W)ᵀ + scale·b), …; 1) */
export function foldAttentionScale(graph: Graph): Graph {
  const uses = countUses(graph);
  return rewriteGraph(graph, (node, original) => {
    const scale = node.attributes.scale as number;
    if (node.op !== (Attention as unknown) || scale === 1) return undefined;
    const [transposed, ...rest] = node.inputs;
    const reshaped = transposed.node?.op.name === "Transpose" ? transposed.node.inputs[0] : undefined;
    const projected = reshaped?.node?.op.name === "Reshape" ? reshaped.node.inputs[0] : undefined;
    if (projected?.node?.op !== (Linear as unknown) || !readOnce(original.inputs[0], 3, uses)) return undefined;
    const [x, ...parameters] = projected!.node!.inputs;
    const scaled = parameters.map((value) => scaledConstant(value, scale));
    if (scaled.some((value) => value === undefined)) return undefined;
    const query = reshape(linear(x, scaled[0]!, scaled[1]), reshaped!.shape);
    return Attention.apply([transpose(query, transposed.node!.attributes.permutation as number[]), ...rest], { ...node.attributes, scale: 1 } as never);
  });
}

/** Whether the value and those it is made of, `depth` in all, are read at one place only. */
function readOnce(value: Value, depth: number, uses: ReadonlyMap<Value, number>): boolean {
  return uses.get(value) === 1 && (depth === 1 || readOnce(value.node!.inputs[0], depth - 1, uses));
}

function scaledConstant(value: Value, scale: number): Value | undefined {
  const constant = constantOf(value);
  if (!(constant?.data instanceof Float32Array)) return undefined;
  return constantView("float32", constant.shape, constant.data.map((element) => element * scale), constant.label);
}
