/** Memory of a training run by arithmetic, before anything is trained. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTinyRecipes, type TinyRecipes } from "../../test/tiny-recipe.js";
import { estimateMemory } from "./memory-estimate.js";

let recipes: TinyRecipes;
beforeAll(async () => void (recipes = await openTinyRecipes()));
afterAll(() => recipes.remove());

describe("the memory estimate", () => {
  test.each([1, 2])("counts weights, gradients of %i micro-batches at once and optimizer state, and orders the policies", async (atOnce) => {
    const estimate = await estimateMemory(recipes.recipe(`micro_batches_at_once=${atOnce}`));
    expect(estimate.atOnce).toBe(atOnce);
    const bytes = (await readFile(join(recipes.folder, "tiny/model.safetensors"))).byteLength;
    expect(estimate.weights / bytes).toBeCloseTo(1, 1);
    expect(estimate.gradients).toBe(atOnce * estimate.weights);
    expect(estimate.optimizer / (2 * estimate.weights)).toBeCloseTo(1, 2);
    expect(estimate.dropout).toBeGreaterThan(16e6); // a bank of 16 MiB for the one rate that the model has
    expect(estimate.dropout).toBeLessThan(18e6);
    const { keep, recompute, checkpoint } = estimate.activations;
    expect(keep.bytes).toBeGreaterThan(recompute.bytes);
    expect(recompute.bytes).toBeGreaterThanOrEqual(checkpoint.bytes);
    expect(keep.batch * keep.seq).toBeLessThanOrEqual(1536);
  });

  test("has no banks without dropout, and of Adafactor a row and a column of each matrix", async () => {
    const none = await estimateMemory(recipes.recipe("hidden_dropout_prob=0", "attention_probs_dropout_prob=0", "optim=adafactor"));
    expect(none.dropout).toBe(0);
    const tables = 4 * (30522 + 16 + (128 + 16) + (2 + 16)); // word, position and type embeddings
    expect(none.optimizer).toBeGreaterThan(tables);
    expect(none.optimizer).toBeLessThan(tables + none.weights / 20);
  });

  test("has no moments for SGD, and nothing for what is frozen", async () => {
    expect((await estimateMemory(recipes.recipe("optim=sgd"))).optimizer).toBe(0);
    const frozen = await estimateMemory(recipes.recipe("frozen_parameters=[bert.embeddings.*]", "micro_batches_at_once=1"));
    expect(frozen.gradients).toBeLessThan(frozen.weights / 10);
    expect(frozen.optimizer / (2 * frozen.gradients)).toBeCloseTo(1, 1);
  });
});
