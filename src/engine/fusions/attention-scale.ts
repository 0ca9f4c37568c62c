/**
 * The factor 1/√head of attention's scores, multiplied into the weights of the query layer: (s·q)·k = s·(q·k). Where weights are constants it
 * costs nothing then, while the standard has no product with a factor, and a pass over the [seq, seq] matrices it would be.
 */
import type { Graph } from "../graph/graph.js";
import { rewriteGraph } from "../graph/rewrite.js";
import type { Value } from "../graph/value.js";
import { Attention } from "../ops/attention.js";
import { constantOf, constantView } from "../ops/constant.js";
import { Linear } from "../ops/matmul.js";
import { reshape, transpose } from "../ops/shape.js";
import { countUses } from "./uses.js";

/** Attention(split(x·Wᵀ + b), …; scale) → Attention(split(x·(scale·W)ᵀ + scale·b), …; 1) */
export function foldAttentionScale(graph: Graph): Graph {
  const uses = countUses(graph);
  return rewriteGraph(graph, (node, original) => {
    const scale = node.attributes.scale as number;
    if (node.op !== (Attention as unknown) || scale === 1) return undefined;
    const [transposed, ...rest] = node.inputs;
    if (transposed.node?.op.name !== "Transpose" || !readOnceUpToLayer(original.inputs[0], uses)) return undefined;
    const [heads] = transposed.node.inputs;
    const layer = behindReshapes(heads).node;
    const [x, ...parameters] = layer!.inputs;
    const scaled = parameters.map((value) => scaledConstant(value, scale));
    if (scaled.some((value) => value === undefined)) return undefined;
    const query = reshape(Linear.apply([x, ...(scaled as Value[])])[0], heads.shape);
    return Attention.apply([transpose(query, transposed.node.attributes.permutation as number[]), ...rest], {
      ...node.attributes,
      scale: 1,
    } as never);
  });
}

function behindReshapes(value: Value): Value {
  return value.node?.op.name === "Reshape" ? behindReshapes(value.node.inputs[0]) : value;
}

/** Whether the value is a linear layer's, moved and cut, and nothing else reads what lies between. */
function readOnceUpToLayer(value: Value, uses: ReadonlyMap<Value, number>): boolean {
  if (uses.get(value) !== 1) return false;
  if (value.node?.op === (Linear as unknown)) return true;
  return ["Transpose", "Reshape"].includes(value.node?.op.name ?? "") && readOnceUpToLayer(value.node!.inputs[0], uses);
}

function scaledConstant(value: Value, scale: number): Value | undefined {
  const constant = constantOf(value);
  if (!(constant?.data instanceof Float32Array)) return undefined;
  return constantView(
    "float32",
    constant.shape,
    constant.data.map((element) => element * scale),
    constant.label,
  );
}
