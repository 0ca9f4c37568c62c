import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { runVerb } from "../../test/verbs.js";
import { registerDoctor } from "./doctor.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-doctor-"));
  await writeTinyReader(join(folder, "tiny"));
  await writeFile(
    join(folder, "recipe.yaml"),
    `model: ${join(folder, "tiny")}\ntrain_files: ${join(starter, "squad/train.json")}\nmax_train_samples: 16\nmax_length: 96\nstride: 32\n`,
  );
});
afterAll(() => rm(folder, { recursive: true }));

describe("lectern doctor", () => {
  test("tells the runtime, the machine and how fast its products are", async () => {
    const { exitCode, stdout } = await runVerb(registerDoctor, "doctor");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^node +v\d+/m);
    expect(stdout).toMatch(/^runtime +onnxruntime 1\.\d+/m);
    expect(stdout).toMatch(/^matrix product +\d+ GFLOP\/s/m);
    expect(Object.keys(JSON.parse((await runVerb(registerDoctor, "doctor", "--json")).stdout) as object)).toContain("runtime");
  });

  test("with --memory tells what a recipe needs under each policy", async () => {
    const memory = (...settings: string[]) => runVerb(registerDoctor, "doctor", "--memory", join(folder, "recipe.yaml"), "--set", ...settings);
    expect((await memory("micro_batches_at_once=2")).stdout).toMatch(/^gradients +\d+ MB {2}\(of 2 micro-batches at once\)$/m);
    const { stdout } = await memory("micro_batches_at_once=1");
    for (const line of [
      /^weights +\d+ MB$/m,
      /^gradients +\d+ MB$/m,
      /^optimizer state +\d+ MB$/m,
      /^ {2}keep +\d+ MB +\(micro-batch of \d+ × \d+ tokens\)$/m,
    ])
      expect(stdout).toMatch(line);
    const { activations } = JSON.parse(
      (await memory("micro_batch_size=1", "--json")).stdout,
    ) as {
      activations: Record<string, { bytes: number; batch: number }>;
    };
    expect(Object.keys(activations)).toEqual(["keep", "recompute", "checkpoint"]);
    expect(Object.values(activations).map(({ batch }) => batch)).toEqual([1, 1, 1]);
  });

  test("of a recipe that is not there tells so", async () => {
    const { exitCode, stderr } = await runVerb(registerDoctor, "doctor", "--memory", join(folder, "none.yaml"));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/FILE_MISSING/);
  });
});
