/**
 * Sums into an accumulator, done by the op that makes the addend: `total + A·B` becomes one Gemm with a third input, and
 * `total + scatter(0, i, u)` scatters into the total. With the output bound to the total's memory nothing is copied.
 */
import { sameShape } from "../graph/dimension.js";
import type { Graph } from "../graph/graph.js";
import { rewriteGraph } from "../graph/rewrite.js";
import type { Value } from "../graph/value.js";
import { Add } from "../ops/arithmetic.js";
import { defineOp } from "../ops/define-op.js";
import { ScatterAdd, scatterAdd } from "../ops/gather.js";
import { MatMul, matmul } from "../ops/matmul.js";
import { add } from "../ops/arithmetic.js";
import { countUses } from "./uses.js";

type GemmAttributes = { readonly transposeA: boolean; readonly transposeB: boolean; readonly scale: number };

/** total + scale·A·B for matrices; only this fusion makes it. */
const AccumulatingMatMul = defineOp<GemmAttributes>({
  name: "AccumulatingMatMul",
  infer: ([total]) => [total],
  expand: ([total, a, b], attributes) => [add(total, matmul(a, b, attributes))],
  cost: "heavy",
  lower: (emit, [total, a, b], { attributes: { transposeA, transposeB, scale } }) => [
    emit.node("Gemm", [a, b, total], { attributes: { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha: { float: scale } } }),
  ],
  sample: (random) => [
    { inputs: [random.normal([3, 5]), random.normal([4, 3]), random.normal([4, 5])], attributes: { transposeA: true, transposeB: false, scale: 1 } },
  ],
});

/** Applies the fusion wherever a graph adds such a product to one of its inputs. */
export function fuseAccumulation(graph: Graph): Graph {
  const uses = countUses(graph);
  return rewriteGraph(graph, (node) => {
    if (node.op !== (Add as unknown)) return undefined;
    const total = node.inputs.find((value) => value.node === undefined);
    const addend = node.inputs.find((value) => value.node !== undefined);
    if (total === undefined || addend?.node === undefined || uses.get(addend) !== 1 || !sameShape(total.shape, addend.shape)) return undefined;
    if (addend.node.op === (MatMul as unknown) && total.rank === 2) {
      return AccumulatingMatMul.apply([total, ...addend.node.inputs], addend.node.attributes as GemmAttributes);
    }
    if (addend.node.op === (ScatterAdd as unknown) && isZero(addend.node.inputs[0])) {
      return [scatterAdd(total, addend.node.inputs[1], addend.node.inputs[2])];
    }
    return undefined;
  });
}

function isZero(value: Value): boolean {
  const source = value.node?.op.name === "Expand" ? value.node.inputs[0] : value;
  const data = source.node?.op.name === "Constant" ? source.node.attributes.data : undefined;
  return data instanceof Float32Array && data.every((element) => element === 0);
}
