/** What the residual policies cost and save: peak memory of activations and samples/s of forward and backward passes. */
import type { ResidualPolicy } from "../src/engine/index.js";
import { openTrainingSample } from "./training-sample.js";

export type ResidualsResult = Record<ResidualPolicy, { activation_mb: number; samples_per_second: number }>;

/** Two passes over the same steps, policies in turn, so that a machine that slows down slows all of them. */
export async function compareResiduals(root: string, steps: number): Promise<ResidualsResult> {
  const sample = await openTrainingSample(root);
  const policies: ResidualPolicy[] = ["keep", "recompute", "checkpoint"];
  const seconds: Record<ResidualPolicy, number> = { keep: 0, recompute: 0, checkpoint: 0 };
  const bytes: Record<ResidualPolicy, number> = { keep: 0, recompute: 0, checkpoint: 0 };
  let samples = 0;
  for (const [round, policy] of [0, 1].flatMap((round) => policies.map((policy) => [round, policy] as const))) {
    const executor = await sample.executor(policy);
    for (let step = -2; step < steps; step++) {
      const started = performance.now();
      const batches = sample.microBatches(Math.max(step, 0));
      await executor.runAll(batches, ["loss"]);
      for (const batch of batches) {
        bytes[policy] = Math.max(bytes[policy], sample.lanes * executor.arenaBytes(batch.bindings));
        if (step >= 0 && round === 0 && policy === "keep") samples += batch.bindings.batch;
      }
      if (step >= 0) seconds[policy] += (performance.now() - started) / 1000;
    }
    executor.release();
  }
  const figures = (policy: ResidualPolicy) => ({ activation_mb: bytes[policy] / 1e6, samples_per_second: (2 * samples) / seconds[policy] });
  return { keep: figures("keep"), recompute: figures("recompute"), checkpoint: figures("checkpoint") };
}
