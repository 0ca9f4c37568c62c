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
import { shareOut } from "../engine/block/share-out.js";
import { collate } from "../tasks/extractive/collate.js";
import { type Feature, makeFeatures } from "../tasks/extractive/features.js";
import { openReader, type Reader } from "../tasks/extractive/reader.js";
import { largestShapes, microBatchCutter, microBatchesAtOnce, samplesPerStep } from "./micro-batches.js";
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
const cut = (...overrides: string[]) => microBatchCutter(recipeWith(...overrides), reader, features, 1)({ step: 5, samples });

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
    const few = microBatchCutter(recipeWith(), reader, features, 1)({ step: 9, samples: samples.slice(0, 3) });
    expect(few.flatMap(({ inputs }) => [...(inputs.start_weights as Float32Array)])).toEqual(
      [0.5, 0.5, 0.5].map((half) => Math.fround(half / 3)),
    );
  });

  test.each([1, 2])("never has a shape that the largest ones do not hold, %i at once", (lanes) => {
    for (const overrides of [[], ["micro_batch_size=3"], ["pad_to_max_length=true"], ["micro_batch_size=16", "pad_to_max_length=true"]]) {
      const recipe = recipeWith(...overrides);
      const most = new Map(largestShapes(recipe, features, lanes).map(({ batch, seq }) => [seq, batch]));
      const bytes = Math.max(...largestShapes(recipe, features, lanes).map((shape) => executor.arenaBytes(shape)));
      for (let step = 0; step < 20; step++) {
        const chosen = Int32Array.from({ length: 16 }, (_, index) => (step * 11 + index * 5) % features.length);
        for (const { bindings } of microBatchCutter(recipe, reader, features, lanes)({ step, samples: chosen })) {
          expect(bindings.batch).toBeLessThanOrEqual(most.get(bindings.seq)!);
          expect(executor.arenaBytes(bindings)).toBeLessThanOrEqual(bytes);
        }
      }
    }
  });

  test("gives each of two threads as much as the other, in micro-batches that are half as many tokens", () => {
    const recipe = recipeWith("per_device_train_batch_size=30");
    const all = Int32Array.from({ length: 30 }, (_, index) => index);
    const tokensOf = (lanes: number) =>
      microBatchCutter(recipe, reader, features, lanes)({ step: 0, samples: all }).map(({ bindings: { batch, seq } }) => batch * seq);
    for (const tokens of tokensOf(1)) expect(tokens).toBeLessThanOrEqual(768);
    for (const tokens of tokensOf(2)) expect(tokens).toBeLessThanOrEqual(512);
    const loads = shareOut(tokensOf(2), 2).map((share) => share.reduce((sum, at) => sum + tokensOf(2)[at], 0));
    expect(Math.max(...loads) / Math.min(...loads)).toBeLessThan(1.15);
  });

  test("a step has the windows of all its accumulated batches", () => {
    expect(samplesPerStep(recipeWith("per_device_train_batch_size=4", "gradient_accumulation_steps=3"))).toBe(12);
  });
});

describe("how many micro-batches are computed at once", () => {
  const windows = (length: number) => [{ length } as Feature];
  const machine = { threads: 2, gradientBytes: 90e6, memory: 8e9 };
  test.each([
    ["one a thread for large steps", 2, windows(200), machine, []],
    ["one after the other for small steps", 1, windows(60), machine, ["per_device_train_batch_size=4"]],
    ["padding counts as tokens", 2, windows(60), machine, ["pad_to_max_length=true", "per_device_train_batch_size=4"]],
    ["accumulated batches count as well", 2, windows(60), machine, ["per_device_train_batch_size=4", "gradient_accumulation_steps=2"]],
    ["one after the other where there are fewer windows than threads", 1, windows(384), machine, ["per_device_train_batch_size=1"]],
    ["one after the other where copies of the gradients would crowd memory", 1, windows(200), { ...machine, gradientBytes: 1.4e9 }, []],
    ["one after the other where there are many threads", 1, windows(2000), { ...machine, threads: 16 }, []],
    ["a large enough step has one for each of four threads", 4, windows(384), { ...machine, threads: 4 }, []],
    ["one after the other where the recipe sets their size", 1, windows(200), machine, ["micro_batch_size=8"]],
    ["the recipe decides", 3, windows(60), machine, ["micro_batches_at_once=3"]],
    ["the recipe decides against it", 1, windows(200), machine, ["micro_batches_at_once=1"]],
  ])("%s", (_, expected, given, on, overrides) => {
    expect(microBatchesAtOnce(recipeWith(...overrides), given, on)).toBe(expected);
  });
});
