import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyReader } from "../../test/tiny-reader.js";
import { runVerb } from "../../test/verbs.js";
import { registerQuickstart } from "./quickstart.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-quickstart-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

/** The real verb, its data and recipe; the model is a tiny one, and of the data a few. */
const quickstart = (output: string, ...words: string[]) =>
  runVerb(
    registerQuickstart,
    "quickstart",
    ...[
      `model=${join(folder, "tiny")}`,
      `output_dir=${join(folder, output)}`,
      "max_steps=2",
      "max_eval_samples=6",
      "max_length=128",
      "stride=32",
    ],
    ...words,
  );

describe("lectern quickstart", () => {
  test("shows the figures before and after, answers with their evidence, and what to do next", async () => {
    const { exitCode, stdout } = await quickstart("run");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/before +after\n/);
    expect(stdout).toMatch(/^evaluation loss +\d+\.\d+ +\d+\.\d+$/m);
    expect(stdout).toMatch(/^F1 +\d+\.\d+ +\d+\.\d+$/m);
    expect(stdout.match(/^Q: /gm)).toHaveLength(4);
    expect(stdout.match(/^A: .*people said: /gm)).toHaveLength(4);
    expect(stdout).toMatch(/What next\n {2}npx lectern evaluate --model /);
    const results = JSON.parse(await readFile(join(folder, "run/all_results.json"), "utf8")) as Record<string, number>;
    for (const name of [
      "baseline_eval_loss",
      "baseline_exact",
      "baseline_f1",
      "eval_loss",
      "exact",
      "f1",
      "train_samples_per_second",
      "train_runtime",
    ]) {
      expect(results[name], name).toBeTypeOf("number");
    }
    expect(await readdir(join(folder, "run"))).toEqual(
      expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json", "README.md", "checkpoint-2"]),
    );
  });

  test("with --json prints lines of JSON and no answers", async () => {
    const { stdout, stderr } = await quickstart("json", "--json");
    expect(stderr).toBe("");
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(events.at(-1)).toBe("done");
  });

  test("a wrong setting is told as for any recipe", async () => {
    const { exitCode, stderr } = await quickstart("wrong", "max_step=1");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/Did you mean max_steps\?/);
    expect(await readdir(folder)).not.toContain("wrong");
  });
});
