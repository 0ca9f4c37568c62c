/** A real training without its loop, for benchmarks that look inside: MiniLM on SQuAD windows, micro-batches as training cuts them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadExamples } from "../src/data/examples.js";
import {
  createTrainingExecutor,
  nativeRuntime,
  type MicroBatch,
  type ResidualPolicy,
  type Runtime,
  type TrainingExecutor,
} from "../src/engine/index.js";
import { makeFeatures, type Feature } from "../src/tasks/extractive/features.js";
import { openReader, type Reader } from "../src/tasks/extractive/reader.js";
import { shuffledBatches } from "../src/train/batches.js";
import { lanesFor } from "../src/train/extractive-run.js";
import { largestShapes, microBatchCutter } from "../src/train/micro-batches.js";
import { parseRecipe } from "../src/train/recipe-load.js";

export interface TrainingSample {
  readonly runtime: Runtime;
  readonly reader: Reader;
  readonly features: readonly Feature[];
  /** Micro-batches computed at once, as training would. */
  readonly lanes: number;
  /** The micro-batches of one optimizer step. */
  microBatches(step: number): readonly MicroBatch[];
  executor(policy: ResidualPolicy, profilePrefix?: string): Promise<TrainingExecutor>;
}

/** The whole SQuAD training file where the repository has its neighbour `shared`, else the bundled slice. */
export async function openTrainingSample(root: string): Promise<TrainingSample> {
  const whole = join(root, "../shared/data/squad-v1.1-train.json");
  const data = existsSync(whole) ? whole : join(root, "starter/squad/train.json");
  const model = join(root, "starter/minilm-l6");
  const recipe = parseRecipe(JSON.stringify({ model, train_files: data, per_device_train_batch_size: 16 }), {
    file: "benchmark",
    overrides: [],
  });
  const runtime = nativeRuntime();
  const reader = await openReader(runtime, model, { seed: recipe.seed, maskPadding: true, trainable: () => true });
  const { examples } = await loadExamples(data);
  const { features } = await makeFeatures(examples, reader.tokenizer, {
    maxLength: recipe.max_length,
    stride: recipe.stride ?? undefined,
    forTraining: true,
  });
  const batches = shuffledBatches(features.length, recipe.per_device_train_batch_size, recipe.seed);
  const lanes = lanesFor(recipe, features, runtime, reader);
  const cut = microBatchCutter(recipe, reader, features, lanes);
  return {
    lanes,
    runtime,
    reader,
    features,
    microBatches: (step) => cut(batches.batch(step)),
    executor: async (policy, profilePrefix) => {
      const executor = await createTrainingExecutor(runtime, reader.network, reader.store, {
        policy,
        loss: "loss",
        seed: recipe.seed,
        lanes,
        profilePrefix,
      });
      executor.reserve(largestShapes(recipe, features, lanes));
      return executor;
    },
  };
}
