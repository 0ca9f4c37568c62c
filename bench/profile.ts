/**
 * Where the time of training goes: ONNX Runtime's own profile of forward and backward passes, summed by operator, and how near
 * the matrix products of the linear layers come to the machine's fastest.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { feedForwardProduct, productSpeed } from "../src/cli/product-speed.js";
import { createGradientNorm } from "../src/engine/optimizers/gradient-norm.js";
import { createOptimizer } from "../src/engine/optimizers/optimizer.js";
import { openTrainingSample, type TrainingSample } from "./training-sample.js";

interface ProfileEvent {
  cat?: string;
  name: string;
  dur: number;
  args?: { op_name?: string; input_type_shape?: Record<string, number[]>[] };
}

export interface ProfileResult {
  readonly samples: number;
  readonly samples_per_second: number;
  /** Share of the kernels' time, by operator; products of linear layers (matrices) and of attention (stacks of them) apart. */
  readonly shares: Record<string, number>;
  /** Time that no kernel accounts for, as a share: JavaScript, dropout masks, calls, a thread that waits for the step's end. */
  readonly outside_kernels: number;
  /** Milliseconds that an optimizer step takes beside its passes, the median of several. */
  readonly clear_ms: number;
  readonly norm_ms: number;
  readonly adamw_ms: number;
  /** Of the linear layers' products, forward and backward. */
  readonly linear_gflops: number;
  /** Of one product alone, the best of many. */
  readonly machine_gflops: number;
}

export async function profileTraining(root: string, steps: number): Promise<ProfileResult> {
  const sample = await openTrainingSample(root);
  const folder = await mkdtemp(join(tmpdir(), "lectern-profile-"));
  try {
    const machine = await productSpeed(sample.runtime, feedForwardProduct);
    const executor = await sample.executor("recompute", join(folder, "profile"));
    let samples = 0;
    let rows = 0;
    const started = performance.now();
    for (let step = 0; step < steps; step++) {
      sample.reader.store.clearGradients();
      const batches = sample.microBatches(step);
      await executor.runAll(batches, ["loss"]);
      for (const batch of batches) {
        samples += batch.bindings.batch;
        rows += batch.bindings.batch * batch.bindings.seq;
      }
    }
    const seconds = (performance.now() - started) / 1000;
    const times = new Map<string, number>();
    for (const file of executor.finishProfiles()) {
      for (const event of JSON.parse(await readFile(file, "utf8")) as ProfileEvent[]) {
        if (event.cat !== "Node" || !event.name.endsWith("kernel_time")) continue;
        const name = operatorName(event);
        times.set(name, (times.get(name) ?? 0) + event.dur / 1e6);
      }
    }
    executor.release();
    // Of micro-batches computed at once, each has a thread for itself: their times add up to as many threads' time.
    const inKernels = [...times.values()].reduce((total, time) => total + time, 0);
    // Forward, gradient of the input, gradient of the weight: three products of 2·rows·(parameters) operations each.
    const parameters = [...sample.reader.store.parameters.values()]
      .filter(({ name, declaration }) => declaration.shape.length === 2 && !name.includes("embeddings"))
      .reduce((total, { length }) => total + length, 0);
    return {
      samples,
      samples_per_second: samples / seconds,
      shares: Object.fromEntries([...times].sort(([, a], [, b]) => b - a).map(([name, time]) => [name, time / inKernels])),
      outside_kernels: 1 - inKernels / (sample.lanes * seconds),
      ...(await timeUpdate(sample)),
      linear_gflops: (6 * rows * parameters * sample.lanes) / (times.get("linear layers")! * 1e9),
      machine_gflops: machine,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What follows the passes of a step: zeroing the gradients, their norm, the update. */
async function timeUpdate({ runtime, reader: { store } }: TrainingSample) {
  const optimizer = await createOptimizer(runtime, store, { name: "adamw", weightDecay: 0.01 });
  const gradientNorm = await createGradientNorm(runtime, store);
  const timed = async (work: () => unknown) => {
    const times = [];
    for (let run = 0; run < 9; run++) {
      const started = performance.now();
      await work();
      times.push(performance.now() - started);
    }
    return times.sort((a, b) => a - b)[4];
  };
  const figures = {
    clear_ms: await timed(() => store.clearGradients()),
    norm_ms: await timed(() => gradientNorm.compute()),
    adamw_ms: await timed(() => optimizer.update({ rate: 0 })),
  };
  optimizer.release();
  gradientNorm.release();
  return figures;
}

function operatorName({ args }: ProfileEvent): string {
  const type = args?.op_name ?? "unknown";
  if (!["Gemm", "MatMul", "FusedMatMul"].includes(type)) return type;
  const rank = Object.values(args?.input_type_shape?.[0] ?? {})[0]?.length;
  return rank === 2 ? "linear layers" : "attention products";
}
