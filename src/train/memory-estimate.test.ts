/** Memory of a training run by arithmetic, before anything is trained. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { estimateMemory } from "./memory-estimate.js";
import { parseRecipe } from "./recipe-load.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-memory-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

const recipeWith = (...overrides: string[]) =>
  parseRecipe(
    `
model: ${join(folder, "tiny")}
train_files: ${join(starter, "squad/train.json")}
max_train_samples: 24
max_length: 96
stride: 32
per_device_train_batch_size: 8
`,
    { file: "test.yaml", overrides },
  );

describe("the memory estimate", () => {
  test("counts weights, gradients and optimizer state, and orders the policies", async () => {
    const estimate = await estimateMemory(recipeWith());
    const bytes = (await readFile(join(folder, "tiny/model.safetensors"))).byteLength;
    expect(estimate.weights / bytes).toBeCloseTo(1, 1);
    expect(estimate.gradients).toBe(estimate.weights);
    expect(estimate.optimizer / (2 * estimate.weights)).toBeCloseTo(1, 2);
    expect(estimate.dropout).toBeGreaterThan(16e6); // a bank of 16 MiB for the one rate that the model has
    expect(estimate.dropout).toBeLessThan(18e6);
    const { keep, recompute, checkpoint } = estimate.activations;
    expect(keep.bytes).toBeGreaterThan(recompute.bytes);
    expect(recompute.bytes).toBeGreaterThanOrEqual(checkpoint.bytes);
    expect(keep.batch * keep.seq).toBeLessThanOrEqual(1536);
  });

  test("has no banks without dropout, and of Adafactor a row and a column of each matrix", async () => {
    const none = await estimateMemory(recipeWith("hidden_dropout_prob=0", "attention_probs_dropout_prob=0", "optim=adafactor"));
    expect(none.dropout).toBe(0);
    const tables = 4 * (30522 + 16 + (128 + 16) + (2 + 16)); // word, position and type embeddings
    expect(none.optimizer).toBeGreaterThan(tables);
    expect(none.optimizer).toBeLessThan(tables + none.weights / 20);
  });

  test("has no moments for SGD, and nothing for what is frozen", async () => {
    expect((await estimateMemory(recipeWith("optim=sgd"))).optimizer).toBe(0);
    const frozen = await estimateMemory(recipeWith("frozen_parameters=[bert.embeddings.*]"));
    expect(frozen.gradients).toBeLessThan(frozen.weights / 10);
    expect(frozen.optimizer / (2 * frozen.gradients)).toBeCloseTo(1, 1);
  });
});
