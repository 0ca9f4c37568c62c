/** Sweeps of a tiny reader: stopped at rungs and resumed, interrupted and called again, cut by their budget. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { starter, writeTinyReader } from "../../../test/tiny-reader.js";
import { runVerb } from "../../../test/verbs.js";
import { registerSweep } from "../../cli/sweep.js";
import { train } from "../train-recipe.js";
import { loadRecipe } from "../recipe-load.js";
import { runSweep, type SweepEvent, type SweepResult } from "./run-sweep.js";
import { loadSweep, type SweepInput } from "./sweep-file.js";
import type { SweepState } from "./sweep-state.js";

let folder: string;
let recipe: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-sweep-"));
  await writeTinyReader(join(folder, "tiny"));
  recipe = join(folder, "mine.yaml");
  await writeFile(
    recipe,
    `model: ${join(folder, "tiny")}\ntrain_files: ${join(starter, "squad/train.json")}\neval_files: ${join(starter, "squad/dev.json")}
max_train_samples: 16\nmax_eval_samples: 6\nmax_length: 96\nstride: 32\nper_device_train_batch_size: 4\nnum_train_epochs: 2
eval_strategy: epoch\nsave_strategy: epoch\nload_best_model_at_end: true\n`,
  );
});
afterAll(() => rm(folder, { recursive: true }));

const parameters: SweepInput["parameters"] = { learning_rate: { min: 1e-4, max: 0.03, scale: "log" }, seed: [1, 2] };
const sweepOf = (out: string, more: Partial<SweepInput> = {}) => ({
  ...loadSweep(recipe, { parameters, metric: "loss", trials: 4, halving: { eta: 2, rungs: 2 }, ...more }),
  out: join(folder, out),
});
async function all(
  out: string,
  more: Partial<SweepInput> = {},
  onEvent: (event: SweepEvent) => AbortSignal | void = () => undefined,
  signal?: AbortSignal,
) {
  const events: SweepEvent[] = [];
  for await (const event of runSweep(sweepOf(out, more), { signal })) {
    events.push(event);
    onEvent(event);
  }
  return events;
}
const resultOf = (events: SweepEvent[]): SweepResult => (events.at(-1) as Extract<SweepEvent, { type: "done" }>).result;
/** What does not depend on the clock. */
const figures = ({ trials, best }: SweepResult) => ({
  best,
  trials: trials.map(({ number, parameters: chosen, status, measured }) => ({
    ...{ number, chosen, status },
    values: measured.map(({ step, value }) => [step, value]),
  })),
});

describe("a sweep", () => {
  test("stops the worse trials early, and a trial that went through all rungs is a training that was never stopped", async () => {
    const result = resultOf(await all("plain"));
    const steps = result.trials.map(({ measured }) => measured.map(({ step }) => step)).sort((a, b) => a.length - b.length);
    const [half, full] = [steps[0][0], steps[3][1]];
    expect(steps).toEqual([[half], [half], [half, full], [half, full]]);
    expect(half).toBe(Math.ceil(full / 2));
    expect(result.trials.map(({ status }) => status).sort()).toEqual(["finished", "finished", "stopped", "stopped"]);
    const winner = result.trials[result.best!];
    expect(Math.min(...result.trials.filter(({ status }) => status === "finished").map(({ measured }) => measured[1].value))).toBe(
      winner.measured.at(-1)!.value,
    );

    const { results } = await train(result.recipe!, {
      overrides: [`output_dir=${join(folder, "in full")}`, "load_best_model_at_end=false"],
    });
    expect([winner.status, results.eval_loss]).toEqual(["finished", winner.measured[1].value]);
    expect(existsSync(join(result.model!, "model.safetensors"))).toBe(true);
    expect(result.ranking[0]).toBe(result.best);
    expect(await loadRecipe(result.recipe!)).toMatchObject({
      ...winner.parameters,
      output_dir: join(folder, "plain/best"),
      load_best_model_at_end: true,
    });
    const svg = await readFile(join(folder, "plain/sweep.svg"), "utf8");
    for (const text of ["loss of 4 trials", "learning_rate", "seed"]) expect(svg).toContain(text);
    for (const { number, status } of result.trials)
      expect(existsSync(join(folder, `plain/trials/trial-${number + 1}`))).toBe(status === "finished");
  });

  test("that was stopped anywhere carries on to the same figures, and has nothing to do when done", async () => {
    const whole = figures(resultOf(await all("plain")));
    for (const at of [2, 23]) {
      const out = `stopped ${at}`;
      const stop = new AbortController();
      let seen = 0;
      const events = await all(out, {}, () => void (++seen === at && stop.abort()), stop.signal);
      expect(events.at(-1)!.type).toBe("interrupted");
      expect(figures(resultOf(await all(out)))).toEqual(whole);
    }
    expect((await all("plain")).filter(({ type }) => type === "trial")).toEqual([]);
  });

  test("goes on with more trials, and refuses a folder of another sweep", async () => {
    const before = figures(resultOf(await all("plain")));
    const more = figures(resultOf(await all("plain", { trials: 6 })));
    expect(more.trials).toHaveLength(6);
    expect(more.trials[0].chosen).toEqual(before.trials[0].chosen);
    await expect(all("plain", { seed: 7 })).rejects.toMatchObject({ code: "OUTPUT_IN_USE" });
  });

  test("keeps its budget in the middle of a trial, which is measured as far as it came, and goes on with more", async () => {
    const endless = { trials: 1000, halving: { rungs: 1 }, overrides: ["num_train_epochs=100000"] };
    let [seconds, result] = [0, undefined as SweepResult | undefined];
    const trained = (): boolean => result?.best !== undefined && result.trials[result.best].measured[0].step > 0;
    while (!trained() && seconds < 200) {
      seconds += 4; // as much as a machine that is busy otherwise needs
      result = resultOf(await all("short", { ...endless, budget_minutes: seconds / 60 }));
      expect(result.seconds).toBeGreaterThan(0.5 * seconds);
      expect(result.seconds).toBeLessThan(seconds + 30);
    }
    expect(result!.trials.length).toBeLessThan(10);
    const { status, measured } = result!.trials[result!.best!];
    expect([status, trained(), measured[0].step < measured[0].total_steps]).toEqual(["out_of_budget", true, true]);
  });

  test("passes over trials that fail, says why, and tries again those that may have failed by chance", async () => {
    const faulty = { parameters: { learning_rate: [0.001, 1e30], max_length: [96, 4096] }, halving: { rungs: 1 } };
    const events = await all("faulty", faulty);
    const told = events.flatMap((event) => (event.type === "failed" ? [[event.status, event.problem]] : []));
    expect(told).toHaveLength(3);
    expect(told).toContainEqual(["diverged", expect.stringContaining("NaN")]);
    expect(told).toContainEqual(["failed", expect.stringContaining("4096")]);
    const result = resultOf(events);
    expect(result.trials.map(({ status }) => status).sort()).toEqual(["diverged", "failed", "failed", "finished"]);
    expect(result.trials[result.best!]).toMatchObject({ status: "finished", parameters: { learning_rate: 0.001, max_length: 96 } });
    const again = await all("faulty", faulty);
    expect(again.filter(({ type }) => type === "trial")).toHaveLength(2);
    expect(figures(resultOf(again))).toEqual(figures(result));
  });

  test("gives up a trial whose process ended each time", async () => {
    await all("ended", { trials: 2 });
    const file = join(folder, "ended/sweep.json");
    const state = JSON.parse(await readFile(file, "utf8")) as SweepState;
    await writeFile(file, JSON.stringify({ ...state, trials: [{ ...state.trials[0], status: "waiting", measured: [], attempts: 3 }] }));
    const events = await all("ended", { trials: 2 });
    expect(events).toContainEqual(
      expect.objectContaining({ type: "failed", number: 0, problem: expect.stringContaining("ended 3 times") as string }),
    );
    expect(resultOf(events).best).toBe(1);
  });

  test.each([
    ["a metric that is not there", { metric: "bleu" }, "METRIC_UNKNOWN"],
    ["a key that is not there", { parameters: { learning_rat: [1] } }, "RECIPE_UNKNOWN_KEY"],
    ["a value that a key cannot have", { parameters: { optim: ["adamw", "lion"] } }, "RECIPE_VALUE"],
    ["a model that no trial can open", { overrides: ["max_length=4096"] }, "SEQUENCE_TOO_LONG"],
    [
      "nothing to evaluate on",
      { overrides: ["eval_files=[]", "eval_strategy=no", "load_best_model_at_end=false"] },
      "RECIPE_CONTRADICTION",
    ],
  ])("%s is told, and the folder stays free for another sweep", async (_, more, code) => {
    await expect(all("refused", more as Partial<SweepInput>)).rejects.toMatchObject({ code });
    expect(existsSync(join(folder, "refused/sweep.json"))).toBe(false);
  });
});

test("lectern sweep prints a table and the command that trains the best settings", async () => {
  const words = ["sweep", recipe, "--parameter", "learning_rate=1e-4..1e-2:log", "--trials", "2", "--rungs", "1", "--metric", "loss"];
  const { exitCode, stdout, stderr } = await runVerb(registerSweep, ...words, "--num-train-epochs", "1", "--out", join(folder, "typed"));
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining("trial 2, rung 1 of 1 (100 % of the training): learning_rate=")]);
  expect(stdout).toMatch(/trial +learning_rate +trained +loss\n\d \* +\S+ +100 % +\d\.\d+ +finished\n/);
  expect(stdout).toContain(`npx lectern train ${join(folder, "typed", "best.yaml")}`);
  expect((await runVerb(registerSweep, "sweep", recipe)).stderr).toContain("The sweep varies nothing");
  expect((await runVerb(registerSweep, "sweep", recipe, "--budget", "soon")).stderr).toContain("such as 10m");
  expect((await runVerb(registerSweep, "sweep", recipe, "--trails", "2")).stderr).toContain(
    "unknown option '--trails'\n(Did you mean --trials?)",
  );
  expect((await runVerb(registerSweep, "sweep", "--trials", "2")).stderr).toContain("missing required argument");
});
