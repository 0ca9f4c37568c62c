/** The global norm of the gradients, for clipping (Pascanu et al. 2013) and for the log. */
import type { ParameterStore } from "../block/parameter-store.js";
import { symbol } from "../graph/dimension.js";
import { Graph } from "../graph/graph.js";
import { input } from "../graph/value.js";
import { sumOfSquares } from "../ops/reduction.js";
import { allocateTensor, type Runtime } from "../runtime/runtime.js";

/** Elements summed in float32; the sums themselves are added in float64. */
const rowLength = 1 << 10;

export interface GradientNorm {
  /** √Σg² over the stored gradients as they are, not scaled. NaN or infinite where one of them is. */
  compute(): Promise<number>;
  release(): void;
}

export async function createGradientNorm(runtime: Runtime, store: ParameterStore): Promise<GradientNorm> {
  const gradients = input("gradients", "float32", [symbol("rows"), symbol("length")]);
  const graph = new Graph([gradients], [{ name: "sums", value: sumOfSquares(gradients, [1]) }]);
  const program = await runtime.compile(graph, { name: "gradient norm" });
  const rows = Math.floor(store.trainedLength / rowLength);
  const parts = [
    { offset: 0, rows, length: rowLength },
    { offset: rows * rowLength, rows: 1, length: store.trainedLength - rows * rowLength },
  ]
    .filter((part) => part.rows * part.length > 0)
    .map((part) => ({
      input: runtime.tensor(store.gradients!, part.offset * 4, "float32", [part.rows, part.length]),
      sums: allocateTensor(runtime, "float32", [part.rows]),
    }));
  return {
    compute: async () => {
      let total = 0;
      for (const part of parts) {
        await program.run([part.input], [part.sums]);
        total = (part.sums.data as Float32Array).reduce((sum, value) => sum + value, total);
      }
      return Math.sqrt(total);
    },
    release: () => {
      program.release();
      for (const tensor of parts.flatMap((part) => [part.input, part.sums])) tensor.release();
    },
  };
}

/** What gradients of this norm are multiplied with so that it is at most `most`, as torch's clip_grad_norm_; 1 where `most` is 0 (no clipping). */
export function clipFactor(norm: number, most: number): number {
  return most > 0 ? Math.min(1, most / (norm + 1e-6)) : 1;
}
