/** How fast the machine multiplies matrices: the limit of what any training on it can reach. */
import { allocateTensor, Graph, input, matmul, type Runtime } from "../engine/index.js";

/** A product [batch, m, k] · [batch, k, n], the right side stored transposed, as the weights of linear layers are. */
export interface ProductSize {
  readonly batch?: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

/** The product that dominates a training step of a small encoder: its feed-forward layer, over 768 tokens. */
export const feedForwardProduct: ProductSize = { m: 768, k: 384, n: 1536 };

/**
 * Floating-point operations a second, in billions, of a float32 product: the best of several.
 * @param seconds how long to try, at least
 */
export async function productSpeed(runtime: Runtime, { batch, m, k, n }: ProductSize, seconds = 0.2): Promise<number> {
  const leading = batch === undefined ? [] : [batch];
  const shapes = [[m, k], [n, k], [m, n]].map((shape) => [...leading, ...shape]);
  const [a, b] = [input("a", "float32", shapes[0]), input("b", "float32", shapes[1])];
  const program = await runtime.compile(new Graph([a, b], [{ name: "c", value: matmul(a, b, { transposeB: true }) }]));
  const tensors = shapes.map((shape) => allocateTensor(runtime, "float32", shape));
  for (const { data } of tensors) (data as Float32Array).fill(0.5);
  let best = Infinity;
  const end = performance.now() + seconds * 1000;
  for (let run = 0; run < 2 || performance.now() < end; run++) {
    const started = performance.now();
    await program.run(tensors.slice(0, 2), tensors.slice(2));
    best = Math.min(best, performance.now() - started);
  }
  program.release();
  return (2 * (batch ?? 1) * m * k * n) / (best * 1e6);
}
