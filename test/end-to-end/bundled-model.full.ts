/** The bundled model at its real size: memory under each policy, and a quickstart cut short. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { estimateMemory } from "../../src/train/memory-estimate.js";
import { parseRecipe } from "../../src/train/recipe-load.js";
import { startOwn } from "../process.js";
import { starter } from "../tiny-reader.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-bundled-"))));
afterAll(() => rm(folder, { recursive: true }));

const recipe = `
model: ${join(starter, "minilm-l6")}
train_files: ${join(starter, "squad/train.json")}
max_train_samples: 64
per_device_train_batch_size: 16
threads: 2
`;

test("activations take the most memory where all are kept, the least where a block is computed again", async () => {
  const estimate = (...overrides: string[]) => estimateMemory(parseRecipe(recipe, { file: "memory.yaml", overrides: ["pad_to_max_length=true", ...overrides] }));
  const { activations, weights, gradients, optimizer } = await estimate("micro_batch_size=4");
  const { keep, recompute, checkpoint } = activations;
  expect([keep.batch, keep.seq]).toEqual([4, 384]);
  expect(recompute.bytes).toBeLessThan(0.95 * keep.bytes);
  expect(checkpoint.bytes).toBeLessThan(0.6 * recompute.bytes);
  expect(weights / 4).toBeGreaterThan(22e6); // parameters of MiniLM-L6
  expect(gradients).toBe(weights);
  expect(optimizer / weights).toBeCloseTo(2, 4); // AdamW's two averages; weights are padded to whole lines of the cache

  const atOnce = await estimate(); // steps of 16 × 384 tokens: a micro-batch on each of the two threads
  expect([atOnce.atOnce, atOnce.gradients / weights]).toEqual([2, 2]);
  expect(atOnce.activations.recompute).toMatchObject({ batch: 1, seq: 384 });
  expect(atOnce.activations.recompute.bytes).toBeLessThan(recompute.bytes);
});

/** Steps of training in a process of its own, and its resident memory after them, in bytes. */
async function residentMemory(residuals: string): Promise<number> {
  const file = join(folder, `${residuals}.yaml`);
  await writeFile(file, `${recipe}micro_batch_size: 8\npad_to_max_length: true\nresiduals: ${residuals}\n`);
  const { stdout, stderr } = await startOwn("test/resident-memory.ts", [file, "3", "1"], { cwd: folder }).ended;
  expect(stderr).toBe("");
  return (JSON.parse(stdout) as number[]).at(-1)!;
}

test("the process is larger where all activations are kept", async () => {
  const [keep, recompute] = [await residentMemory("keep"), await residentMemory("recompute")];
  expect(recompute).toBeLessThan(keep - 20e6);
});

test("the quickstart's short form runs from a clone, with figures before and after", async () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const words = ["quickstart", "max_steps=20", "max_eval_samples=40", `output_dir=${join(folder, "quickstart")}`];
  const { code, stdout } = await startOwn("src/cli/main.ts", words, { cwd: root }).ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/before +after[^]*What next/);
  const results = JSON.parse(await readFile(join(folder, "quickstart/all_results.json"), "utf8")) as Record<string, number>;
  expect(results.eval_loss).toBeLessThan(results.baseline_eval_loss);
});
