/** The cut of a step into micro-batches changes no loss and no gradient, dropout included. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { gradientsOf } from "../../test/engine/networks.js";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { loadExamples } from "../data/examples.js";
import { createTrainingExecutor, type MicroBatch, type TrainingExecutor } from "../engine/index.js";
import { collate } from "../tasks/extractive/collate.js";
import { type Feature, makeFeatures } from "../tasks/extractive/features.js";
import { openReader, type Reader } from "../tasks/extractive/reader.js";
import { largestShapes, microBatchCutter, samplesPerStep } from "./micro-batches.js";
import { parseRecipe } from "./recipe-load.js";

let folder: string;
let reader: Reader;
let features: Feature[];
let executor: TrainingExecutor;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-micro-batches-"));
  const model = await writeTinyReader(join(folder, "tiny"));
  reader = await openReader(testRuntime(), model, {
    seed: 1,
    maskPadding: true,
    trainable: () => true,
    dropout: { hidden: 0.1, attention: 0.1 },
  });
  const { examples } = await loadExamples(join(starter, "squad/train.json"), { limit: 30 });
  features = (await makeFeatures(examples, reader.tokenizer, { maxLength: 128, stride: 32, forTraining: true })).features;
  executor = await createTrainingExecutor(testRuntime(), reader.network, reader.store, { policy: "recompute", loss: "loss", seed: 3 });
});
afterAll(() => rm(folder, { recursive: true }));

const recipeWith = (...overrides: string[]) =>
  parseRecipe("model: m\ntrain_files: a.json\nmax_length: 128\nstride: 32\nper_device_train_batch_size: 16", { file: "r.yaml", overrides });
/** Windows of many lengths, in no order. */
const samples = Int32Array.from({ length: 16 }, (_, index) => (index * 7) % 30);
const cut = (...overrides: string[]) => microBatchCutter(recipeWith(...overrides), reader, features)({ step: 5, samples });

async function lossAndGradients(microBatches: readonly MicroBatch[]) {
  reader.store.clearGradients();
  let loss = 0;
  for (const microBatch of microBatches) loss += (await executor.run(microBatch, ["loss"])).loss[0];
  return { loss, gradients: gradientsOf(reader.store) };
}

/** Of all gradients together: single ones may be zero in exact arithmetic and hold nothing but rounding. */
function difference(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  let [apart, size] = [0, 0];
  for (const [name, values] of a) {
    values.forEach((value, at) => {
      apart += (value - b.get(name)![at]) ** 2;
      size += value ** 2;
    });
  }
  return Math.sqrt(apart / size);
}

describe("a step of 16 windows", () => {
  const byHand = (groups: number[][]): MicroBatch[] =>
    groups.map((group) => ({
      ...collate(
        group.map((place) => features[samples[place]]),
        reader.encoder,
        { weight: 0.5 / 16, padTypeId: 0 },
      ),
      samples: group,
      step: 5,
    }));

  test.each([
    ["one by one", () => cut("micro_batch_size=1"), 16],
    ["in fours", () => cut("micro_batch_size=4"), 4],
    ["in fives", () => cut("micro_batch_size=5"), 4],
    ["automatically", () => cut(), undefined],
    ["as four batches of four accumulated", () => cut("per_device_train_batch_size=4", "gradient_accumulation_steps=4"), undefined],
    ["padded to the full length", () => cut("micro_batch_size=8", "pad_to_max_length=true"), 2],
    ["in any mixture", () => byHand([[15, 0, 7], [3], [1, 2, 4, 5, 6, 8, 9], [14, 13, 12, 11, 10]]), 4],
  ])("gives the loss and gradients of the whole: %s", async (_, make, count) => {
    const whole = await lossAndGradients(cut("micro_batch_size=16"));
    const microBatches = make();
    if (count !== undefined) expect(microBatches).toHaveLength(count);
    const { loss, gradients } = await lossAndGradients(microBatches);
    expect(Math.abs(loss / whole.loss - 1)).toBeLessThan(1e-5);
    expect(difference(whole.gradients, gradients)).toBeLessThan(1e-5);
  });

  test("depends on dropout's seed, step and samples", async () => {
    const [microBatch] = cut("micro_batch_size=16");
    const { loss } = await lossAndGradients([microBatch]);
    expect((await lossAndGradients([{ ...microBatch, step: 6 }])).loss).not.toBeCloseTo(loss, 4);
    expect((await lossAndGradients([{ ...microBatch, samples: samples.map((at) => at + 100) }])).loss).not.toBeCloseTo(loss, 4);
  });

  test("has the mean of the windows' losses as its loss", async () => {
    const each = [];
    for (const microBatch of cut("micro_batch_size=1")) each.push((await lossAndGradients([microBatch])).loss * 16);
    const { loss } = await lossAndGradients(cut());
    expect(loss).toBeCloseTo(each.reduce((sum, value) => sum + value, 0) / 16, 4);
  });
});

describe("the cut", () => {
  test("keeps each window's place in the step as its identity, and pads little", () => {
    const microBatches = cut();
    expect(microBatches.flatMap((microBatch) => Array.from(microBatch.samples)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 16 }, (_, at) => at),
    );
    for (const { bindings, samples: group } of microBatches) {
      const lengths = Array.from(group, (place) => features[samples[place]].length);
      expect(bindings).toEqual({ batch: lengths.length, seq: Math.max(...lengths) });
      expect(bindings.batch * bindings.seq).toBeLessThanOrEqual(1536);
    }
  });

  test("of a last, partial step weighs its windows by their own number", () => {
    const few = microBatchCutter(recipeWith(), reader, features)({ step: 9, samples: samples.slice(0, 3) });
    expect(few.flatMap(({ inputs }) => [...(inputs.start_weights as Float32Array)])).toEqual(
      [0.5, 0.5, 0.5].map((half) => Math.fround(half / 3)),
    );
  });

  test("never has a shape that the largest ones do not hold", () => {
    for (const overrides of [[], ["micro_batch_size=3"], ["pad_to_max_length=true"], ["micro_batch_size=16", "pad_to_max_length=true"]]) {
      const recipe = recipeWith(...overrides);
      const most = new Map(largestShapes(recipe, features).map(({ batch, seq }) => [seq, batch]));
      const bytes = Math.max(...largestShapes(recipe, features).map((shape) => executor.arenaBytes(shape)));
      for (let step = 0; step < 20; step++) {
        const chosen = Int32Array.from({ length: 16 }, (_, index) => (step * 11 + index * 5) % features.length);
        for (const { bindings } of microBatchCutter(recipe, reader, features)({ step, samples: chosen })) {
          expect(bindings.batch).toBeLessThanOrEqual(most.get(bindings.seq)!);
          expect(executor.arenaBytes(bindings)).toBeLessThanOrEqual(bytes);
        }
      }
    }
  });

  test("a step has the windows of all its accumulated batches", () => {
    expect(samplesPerStep(recipeWith("per_device_train_batch_size=4", "gradient_accumulation_steps=3"))).toBe(12);
  });
});
