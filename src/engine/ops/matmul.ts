/** Matrix products: batched with either side transposed and a scale, and the linear layer in Hugging Face's weight layout. */
import { type Dimension, elementCount, printShape } from "../graph/dimension.js";
import type { Value } from "../graph/value.js";
import { broadcastShapes, defineOp, requireRank, requireSame, ShapeError } from "./define-op.js";
import { sum } from "./reduction.js";
import { reshape } from "./shape.js";

type MatMulAttributes = { readonly transposeA: boolean; readonly transposeB: boolean; readonly scale: number };

export const MatMul = defineOp<MatMulAttributes>({
  name: "MatMul",
  infer: ([a, b], { transposeA, transposeB }) => {
    if (a.rank < 2 || b.rank < 2) throw new ShapeError(`operands should have rank 2 or more, got ${printShape(a.shape)} and ${printShape(b.shape)}`);
    const [m, k] = lastTwo(a, transposeA);
    const [inner, n] = lastTwo(b, transposeB);
    requireSame(k, inner, "the inner dimensions");
    return [{ dtype: a.dtype, shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n] }];
  },
  // y = s·AB: dA = s·dy·Bᵀ, dB = s·Aᵀ·dy; a transposed operand gets the transpose of that
  vjp: ({ dy, inputs: [a, b], attributes: { transposeA, transposeB, scale }, needed }) => [
    needed[0]
      ? transposeA
        ? matmul(b, dy, { transposeA: transposeB, transposeB: true, scale })
        : matmul(dy, b, { transposeB: !transposeB, scale })
      : undefined,
    needed[1]
      ? transposeB
        ? matmul(dy, a, { transposeA: true, transposeB: transposeA, scale })
        : matmul(a, dy, { transposeA: !transposeA, scale })
      : undefined,
  ],
  cost: "heavy",
  lower: (emit, [a, b], { attributes: { transposeA, transposeB, scale }, inputs }) => {
    const flags = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
    if (!transposeA && !transposeB && scale === 1) return [emit.node("MatMul", [a, b])];
    if (inputs[0].rank === 2 && inputs[1].rank === 2) return [emit.node("Gemm", [a, b], { attributes: { ...flags, alpha: { float: scale } } })];
    if (emit.fused) return [emit.node("FusedMatMul", [a, b], { domain: "com.microsoft", attributes: { ...flags, alpha: { float: scale } } })];
    const swapped = (name: string, value: Value) => {
      const axes = value.shape.map((_, axis) => axis);
      return emit.node("Transpose", [name], { attributes: { perm: [...axes.slice(0, -2), value.rank - 1, value.rank - 2] } });
    };
    const product = emit.node("MatMul", [transposeA ? swapped(a, inputs[0]) : a, transposeB ? swapped(b, inputs[1]) : b]);
    return [scale === 1 ? product : emit.node("Mul", [product, emit.float(scale, inputs[0].dtype)])];
  },
  sample: (random) => {
    const cases = [];
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        for (const batch of [[], [2]]) {
          const a = [...batch, ...(transposeA ? [4, 3] : [3, 4])];
          const b = [...batch, ...(transposeB ? [5, 4] : [4, 5])];
          cases.push({ inputs: [random.normal(a), random.normal(b)], attributes: { transposeA, transposeB, scale: 0.5 } });
        }
      }
    }
    return [
      ...cases,
      { inputs: [random.normal([2, 1, 2, 3]), random.normal([4, 3, 2])], attributes: { transposeA: false, transposeB: false, scale: 1 } },
      { inputs: [random.normal([2, 0, 3]), random.normal([2, 3, 4])], attributes: { transposeA: false, transposeB: false, scale: 1 } },
      { inputs: [random.normal([0, 3]), random.normal([0, 2])], attributes: { transposeA: true, transposeB: false, scale: 2 } },
      { inputs: [random.normal([2, 3, 0]), random.normal([2, 4, 0])], attributes: { transposeA: false, transposeB: true, scale: 2 } },
      { inputs: [random.normal([1, 1]), random.normal([1, 1])], attributes: { transposeA: false, transposeB: true, scale: 1 } },
    ];
  },
});

/** scale · A·B over the last two axes, either side transposed first; leading axes broadcast. */
export function matmul(a: Value, b: Value, options: Partial<MatMulAttributes> = {}): Value {
  return MatMul.apply([a, b], { transposeA: false, transposeB: false, scale: 1, ...options })[0];
}

export const Linear = defineOp({
  name: "Linear",
  infer: ([x, weight, bias]) => {
    requireRank(x, 2, "the input");
    requireRank(weight, 2, "the weight");
    requireSame(x.shape[1], weight.shape[1], "the input's last dimension and the weight's");
    if (bias !== undefined) requireSame(bias.shape[0], weight.shape[0], "the bias and the weight's first dimension");
    return [{ dtype: x.dtype, shape: [x.shape[0], weight.shape[0]] }];
  },
  // y = x·Wᵀ + b: dx = dy·W, dW = dyᵀ·x, db = Σ dy
  vjp: ({ dy, inputs: [x, weight, bias], needed }) => [
    needed[0] ? matmul(dy, weight) : undefined,
    needed[1] ? matmul(dy, x, { transposeA: true }) : undefined,
    ...(bias !== undefined && needed[2] ? [sum(dy, [0])] : []),
  ],
  cost: "heavy",
  lower: (emit, inputs) => [emit.node("Gemm", inputs, { attributes: { transB: 1 } })],
  sample: (random) => [
    { inputs: [random.normal([6, 4]), random.normal([5, 4]), random.normal([5])] },
    { inputs: [random.normal([3, 4]), random.normal([2, 4])] },
    { inputs: [random.normal([1, 1]), random.normal([1, 1]), random.normal([1])] },
    { inputs: [random.normal([0, 3]), random.normal([2, 3]), random.normal([2])] },
  ],
});

/**
 * x·Wᵀ + b: x [..., in], weight [out, in], bias [out] → [..., out]. The op itself is of matrices and the reshapes around it stand in the
 * graph: what a block keeps for its backward pass is then the matrix, which the product writes in place, and not a reshaped copy of it.
 */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  const rows = flattenRows(x);
  const [product] = Linear.apply(bias === undefined ? [rows, weight] : [rows, weight, bias]);
  return x.rank === 2 ? product : reshape(product, [...x.shape.slice(0, -1), weight.shape[0]]);
}

/** [..., width] → [rows, width] */
export function flattenRows(x: Value): Value {
  return x.rank === 2 ? x : reshape(x, [elementCount(x.shape.slice(0, -1)), x.shape[x.rank - 1]]);
}

function lastTwo(value: Value, swap: boolean): [Dimension, Dimension] {
  const [rows, columns] = value.shape.slice(-2);
  return swap ? [columns, rows] : [rows, columns];
}
