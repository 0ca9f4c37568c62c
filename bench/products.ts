/**
 * The machine's own limit, beside every comparison: matrix products alone, small and large, by ONNX Runtime as Lectern calls it and by the
 * peer's PyTorch, and how near to the fastest of them each side's training came.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { feedForwardProduct, productSpeed, type ProductSize } from "../src/cli/product-speed.js";
import { nativeRuntime } from "../src/engine/index.js";
import { jsonObjects, runMeasured } from "./process.js";

/** By name: the scores of twelve heads over four windows of 128 tokens, a feed-forward layer, and a product as large as threads like it. */
const sizes: Record<ProductName, Required<ProductSize>> = {
  attention: { batch: 48, m: 128, k: 32, n: 128 },
  linear: { batch: 1, ...feedForwardProduct },
  large: { batch: 1, m: 4096, k: 1024, n: 4096 },
};
export type ProductName = "attention" | "linear" | "large";

/** Billions of floating-point operations a second, by product. */
export type ProductSpeeds = Record<ProductName, number>;

export interface Products {
  ours: ProductSpeeds;
  peer?: ProductSpeeds;
}

const program = (seconds: number): string => `
import json, sys, time, torch
speeds = {}
for name, s in json.loads(sys.argv[1]).items():
    a, b = torch.full((s["batch"], s["m"], s["k"]), 0.5), torch.full((s["batch"], s["n"], s["k"]), 0.5)
    if s["batch"] == 1: a, b = a[0], b[0]
    best, runs, end = 1e9, 0, time.perf_counter() + ${seconds}
    while runs < 2 or time.perf_counter() < end:
        started = time.perf_counter()
        torch.matmul(a, b.transpose(-1, -2))
        best, runs = min(best, time.perf_counter() - started), runs + 1
    speeds[name] = 2 * s["batch"] * s["m"] * s["k"] * s["n"] / best / 1e9
print(json.dumps(speeds))
`;

/**
 * @param python the peer's; without it, ours alone
 * @param seconds how long each product is tried
 */
export async function measureProducts(python: string | undefined, seconds: number): Promise<Products> {
  const runtime = nativeRuntime();
  const ours = {} as ProductSpeeds;
  for (const name of Object.keys(sizes) as ProductName[]) ours[name] = await productSpeed(runtime, sizes[name], seconds);
  if (python === undefined) return { ours };
  const { lines } = await runMeasured(python, ["-c", program(seconds), JSON.stringify(sizes)], { directory: "." });
  return { ours, peer: jsonObjects(lines)[0] as ProductSpeeds };
}

/** The fastest product on either side: what this machine can do. */
export function fastestProduct({ ours, peer }: Products): number {
  return Math.max(...Object.values(ours), ...Object.values(peer ?? {}));
}

/**
 * Floating-point operations of a BERT encoder's linear layers for one token of a training: two a weight forward, four backward. What padding and
 * attention's own products cost is not in it: it is the work that no side can leave out.
 */
export function operationsPerToken(modelFolder: string): number {
  const config = JSON.parse(readFileSync(join(modelFolder, "config.json"), "utf8")) as Record<string, number>;
  const { hidden_size: width, intermediate_size: inner, num_hidden_layers: layers } = config;
  return 6 * layers * (4 * width * width + 2 * width * inner);
}
