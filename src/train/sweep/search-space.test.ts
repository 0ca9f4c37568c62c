import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { best, createRungs, secondsAfterFirst, survivors } from "./halving.js";
import { type Parameters, parseParameter, requireParameters, trialSettings } from "./search-space.js";
import { loadSweep } from "./sweep-file.js";

describe("a range on the command line", () => {
  test.each([
    ["learning_rate=1e-5..1e-3:log", ["learning_rate", { min: 1e-5, max: 1e-3, scale: "log" }]],
    ["weight-decay=0..0.1", ["weight_decay", { min: 0, max: 0.1, scale: "linear" }]],
    ["per_device_train_batch_size=8,16", ["per_device_train_batch_size", [8, 16]]],
    ["lr_scheduler_type=linear,cosine", ["lr_scheduler_type", ["linear", "cosine"]]],
    ["stride=null,64", ["stride", [null, 64]]],
  ])("%s", (text, parameter) => expect(parseParameter(text)).toEqual(parameter));

  test.each(["learning_rate", "=1..2", "a=2..1", "a=0..1:log", "a=x..y", ""])("%j is refused", (text) => {
    expect(() => parseParameter(text)).toThrow(/is not a range or a list/);
  });

  test("there must be one", () => expect(() => requireParameters({}, new Set())).toThrow("varies nothing"));

  test("it is none that a sweep sets itself", () =>
    expect(() => requireParameters({ output_dir: ["a", "b"] }, new Set(["output_dir"]))).toThrow("output_dir cannot be varied"));
});

describe("the settings of trials", () => {
  const parameters: Parameters = {
    learning_rate: { min: 1e-5, max: 1e-3, scale: "log" },
    per_device_train_batch_size: { min: 4, max: 6, scale: "linear" },
    optim: ["adamw", "sgd"],
  };

  test.each(["sobol", "random"] as const)("%s: within their ranges, whole where they must be, the same for a seed", (method) => {
    const trials = trialSettings(parameters, 64, method, 1);
    expect(trials).toHaveLength(64);
    for (const { learning_rate: rate } of trials) {
      expect(rate).toBeGreaterThanOrEqual(1e-5);
      expect(rate).toBeLessThanOrEqual(1e-3);
    }
    expect(trials.filter(({ learning_rate: rate }) => (rate as number) < 1e-4).length).toBeGreaterThan(20); // even in the logarithm
    expect(new Set(trials.map((trial) => trial.per_device_train_batch_size))).toEqual(new Set([4, 5, 6]));
    expect(new Set(trials.map((trial) => trial.optim))).toEqual(new Set(["adamw", "sgd"]));
    expect(trialSettings(parameters, 8, method, 1)).toEqual(trials.slice(0, 8));
    expect(trialSettings(parameters, 8, method, 2)).not.toEqual(trials.slice(0, 8));
  });

  test("are different from each other, also where there are few", () => {
    const few = trialSettings({ optim: ["adamw", "sgd"], per_gpu_train_batch_size: { min: 1, max: 2, scale: "linear" } }, 8, "sobol", 3);
    expect(few).toHaveLength(4);
    expect(new Set(few.map((one) => JSON.stringify(one))).size).toBe(4);
  });
});

describe("halving", () => {
  const rungs = createRungs({ eta: 3, rungs: 3 });

  test("each rung is so many times as long, for one of so many", () => {
    expect(rungs.shares).toEqual([1 / 9, 1 / 3, 1]);
    expect([0, 1, 2].map((rung) => survivors(9, rung, rungs))).toEqual([9, 3, 1]);
    expect([0, 1, 2].map((rung) => survivors(2, rung, rungs))).toEqual([2, 1, 1]);
    expect(secondsAfterFirst(9, rungs, { full: 90, other: 1 })).toBeCloseTo(3 * (20 + 1) + (60 + 1));
  });

  test("the best go on, the earlier of equals", () => {
    const values = new Map([
      [0, 1],
      [1, 3],
      [2, 3],
      [3, 2],
    ]);
    expect(best(values, 2, true)).toEqual([1, 2]);
    expect(best(values, 2, false)).toEqual([0, 3]);
  });
});

describe("a sweep's file", () => {
  test("says what to vary; options win; the recipe may stand beside it", () => {
    const folder = mkdtempSync(join(tmpdir(), "lectern-sweep-"));
    try {
      const file = join(folder, "sweep.yaml");
      writeFileSync(join(folder, "mine.yaml"), "model: m\n");
      writeFileSync(
        file,
        "recipe: mine.yaml\ntrials: 4\nparameters: { seed: [1, 2], weight_decay: { min: 0, max: 1 } }\nhalving: { rungs: 2 }\n",
      );
      expect(loadSweep(file, { trials: 6, parameters: { seed: [3] }, metric: undefined })).toMatchObject({
        recipe: join(folder, "mine.yaml"),
        trials: 6,
        method: "sobol",
        metric: "f1",
        parameters: { seed: [3], weight_decay: { min: 0, max: 1, scale: "linear" } },
        halving: { eta: 3, rungs: 2 },
      });
      expect(loadSweep(join(folder, "mine.yaml")).recipe).toBe(join(folder, "mine.yaml"));
      writeFileSync(file, "recipe: mine.yaml\ntrails: 4\n");
      expect(() => loadSweep(file)).toThrow(/trails/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
