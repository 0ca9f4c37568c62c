/**
 * A training run of eight numbers, for tests of the loop, the checkpoints and the command line: linear regression with momentum, in plain
 * TypeScript. It has all that a real one has (a seeded order, optimizer state, files, an evaluation), and takes no time.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Recipe } from "../src/train/recipe.js";
import type { Run } from "../src/train/run.js";

/** Its recipe: 50 steps, 5 in an epoch; a log every 10, an evaluation and a checkpoint every 20. */
export const fakeRecipe = `model: m
train_files: a.json
eval_files: b.json
num_train_epochs: 10
learning_rate: 0.05
logging_steps: 10
eval_strategy: steps
eval_steps: 20
save_steps: 20
`;

interface Sample {
  x: number[];
  y: number;
}

export interface FakeRunOptions {
  /** Milliseconds that a step takes at least. */
  stepDelay?: number;
  /** The 1-based step whose loss is NaN. */
  lossNotFiniteAt?: number;
  /** Evaluation losses in place of the real ones, in the order of the evaluations. */
  evaluationLosses?: number[];
  /** Called in the middle of saving a model, after half of the file is written. */
  whileSaving?: (folder: string) => Promise<void>;
  /** Called before an evaluation's second half. */
  whileEvaluating?: () => Promise<void>;
}

const width = 8;

/** A number from 0 to 1 that depends on its arguments only (the mixing of MurmurHash3). */
function hashed(...keys: number[]): number {
  let hash = 0x9747b28c;
  for (const key of keys) {
    hash = Math.imul(hash ^ key, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return (hash >>> 0) / 2 ** 32;
}

function sample(index: number): Sample {
  const x = Array.from({ length: width }, (_, i) => hashed(index, i) * 2 - 1);
  return { x, y: x.reduce((sum, value, i) => sum + value * (i - 3), 0) + 0.1 * hashed(index, 99) };
}

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

export function openFakeRun(recipe: Recipe, options: FakeRunOptions = {}): Run<Sample[]> & { weights: () => number[] } {
  const trainSamples = recipe.max_train_samples ?? 40;
  const batchSize = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps;
  const stepsPerEpoch = Math.ceil(trainSamples / batchSize);
  let weights = new Array<number>(width).fill(0);
  let momentum = new Array<number>(width).fill(0);
  let stepsMade = 0;
  let evaluations = 0;

  const errorOf = ({ x, y }: Sample): number => x.reduce((sum, value, i) => sum + value * weights[i], 0) - y;
  const load = async (file: string): Promise<number[]> => JSON.parse(await readFile(file, "utf8")) as number[];

  return {
    weights: () => weights,
    step: {
      async run(batch, rate) {
        if (options.stepDelay !== undefined) await wait(options.stepDelay);
        const gradient = new Array<number>(width).fill(0);
        let loss = 0;
        for (const item of batch) {
          const error = errorOf(item);
          loss += (0.5 * error * error) / batch.length;
          item.x.forEach((value, i) => (gradient[i] += (error * value) / batch.length));
        }
        momentum = momentum.map((value, i) => 0.9 * value + gradient[i]);
        weights = weights.map((value, i) => value - rate * momentum[i]);
        stepsMade += 1;
        return {
          loss: stepsMade === options.lossNotFiniteAt ? NaN : loss,
          gradientNorm: Math.hypot(...gradient),
          samples: batch.length,
          tokens: batch.length * width,
        };
      },
    },
    batches: {
      stepsPerEpoch,
      batch(step) {
        const epoch = Math.floor(step / stepsPerEpoch);
        const order = Array.from({ length: trainSamples }, (_, i) => i).sort(
          (a, b) => hashed(recipe.seed, epoch, a) - hashed(recipe.seed, epoch, b),
        );
        const from = (step % stepsPerEpoch) * batchSize;
        return order.slice(from, from + batchSize).map(sample);
      },
    },
    evaluator: recipe.eval_files.length > 0 || recipe.validation_split > 0 ? { run: evaluate } : undefined,
    saveable: {
      async saveModel(folder) {
        const text = JSON.stringify(weights);
        await writeFile(join(folder, "config.json"), `{"width":${width}}`);
        await writeFile(join(folder, "weights.json"), text.slice(0, text.length / 2));
        await options.whileSaving?.(folder);
        await writeFile(join(folder, "weights.json"), text);
      },
      saveState: (folder) => writeFile(join(folder, "optimizer.json"), JSON.stringify(momentum)),
      loadModel: async (folder) => void (weights = await load(join(folder, "weights.json"))),
      loadState: async (folder) => void (momentum = await load(join(folder, "optimizer.json"))),
      changes: async () => [],
    },
    card: {
      startedFrom: recipe.model,
      baseModel: "org/eight-numbers",
      license: "apache-2.0",
      languages: ["en"],
      pipelineTag: "question-answering",
      taskName: "Extractive question answering",
      trainDatasets: recipe.train_files,
      evaluationDatasets: recipe.eval_files,
      trainSamples,
      evaluationSamples: 20,
      trainedParameters: width,
    },
    histograms: { "data/y": Array.from({ length: trainSamples }, (_, i) => sample(i).y) },
    describe: () => [`a model of ${width} numbers, ${trainSamples} samples`],
    close: async () => {},
  };

  async function evaluate(onProgress?: (done: number, total: number) => void, signal?: AbortSignal): Promise<Record<string, number>> {
    const samples = Array.from({ length: 20 }, (_, i) => sample(1000 + i));
    onProgress?.(10, 20);
    await options.whileEvaluating?.();
    signal?.throwIfAborted();
    onProgress?.(20, 20);
    const errors = samples.map(errorOf);
    const loss =
      options.evaluationLosses?.[evaluations++] ?? errors.reduce((sum, error) => sum + (0.5 * error * error) / samples.length, 0);
    const near = (limit: number): number => (100 * errors.filter((error) => Math.abs(error) < limit).length) / samples.length;
    return { eval_loss: loss, eval_exact: near(0.1), eval_f1: near(0.5), eval_runtime: 0.01, eval_samples_per_second: 2000 };
  }
}
