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
  const scaled = scaler();
  return rewriteGraph(graph, (node, original) => {
    const scale = node.attributes.scale as number;
    if (node.op !== (Attention as unknown) || scale === 1) return undefined;
    const [transposed, ...rest] = node.inputs;
    if (transposed.node?.op.name !== "Transpose" || !readOnceUpToLayer(original.inputs[0], uses)) return undefined;
    const [heads] = transposed.node.inputs;
    const layer = behindReshapes(heads).node;
    const [x, ...parameters] = layer!.inputs;
    const folded = parameters.map((value) => scaled(value, scale));
    if (folded.some((value) => value === undefined)) return undefined;
    const query = reshape(Linear.apply([x, ...(folded as Value[])])[0], heads.shape);
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

/** Makes scaled constants, each once: layers that share a weight share the scaled one. */
function scaler(): (value: Value, scale: number) => Value | undefined {
  const made = new Map<string, Value>();
  const numbers = new Map<Value, number>();
  return (value, scale) => {
    const constant = constantOf(value);
    if (!(constant?.data instanceof Float32Array)) return undefined;
    if (!numbers.has(value)) numbers.set(value, numbers.size);
    const key = `${numbers.get(value)} ${scale}`;
    if (!made.has(key)) {
      const elements = constant.data.map((element) => element * scale);
      made.set(key, constantView("float32", constant.shape, elements, constant.label));
    }
    return made.get(key);
  };
}
