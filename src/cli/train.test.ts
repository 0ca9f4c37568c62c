import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fakeRecipe } from "../../test/fake-run.js";
import { type Ended, type RunningProcess, startOwn } from "../../test/process.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-cli-"));
  await writeFile(join(folder, "recipe.yaml"), fakeRecipe);
});
afterAll(() => rm(folder, { recursive: true }));

const start = (words: string[], env?: Record<string, string>): RunningProcess => startOwn("test/fake-cli.ts", words, { cwd: folder, env });
const lectern = (words: string[], env?: Record<string, string>): Promise<Ended> => start(words, env).ended;
const weights = (output: string): Promise<string> => readFile(join(folder, output, "weights.json"), "utf8");
const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** What an uninterrupted run of the recipe gives. */
let whole: Ended;
beforeAll(async () => {
  whole = await lectern(["train", "recipe.yaml", "output_dir=whole"]);
});

describe("lectern train", () => {
  test("shows how it goes on stderr and the result on stdout", () => {
    expect(whole.code).toBe(0);
    expect(whole.stderr).toContain("a model of 8 numbers");
    expect(whole.stderr).toMatch(/step {2}0\/50 {2}evaluation before training: loss 6\.\d+/);
    expect(whole.stderr).toContain("step 20/50  saved whole/checkpoint-20");
    expect(whole.stdout).toMatch(/before +after\nevaluation loss +6\.\d{4} +0\.\d{4}\n/);
    expect(whole.stdout).toContain("tensorboard --logdir whole");
  });

  test("with --json prints lines of JSON and nothing else", async () => {
    const { code, stdout, stderr } = await lectern(["train", "recipe.yaml", "--set", "output_dir=json", "--set", "report_to=[]", "--json"]);
    expect([code, stderr]).toEqual([0, ""]);
    const events = lines(stdout);
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(["start", "log", "evaluation", "checkpoint", "done"]));
    expect(events.at(-1)).toMatchObject({ type: "done", results: { train_steps: 50 } });
    expect(await readdir(join(folder, "json"))).not.toContainEqual(expect.stringContaining("tfevents"));
  });

  test("on Ctrl-C saves a checkpoint and says how to go on, and the rest is bit-identical", async () => {
    const output = "stopped once";
    const running = start(["train", "recipe.yaml", `output_dir=${output}`], { FAKE_STEP_DELAY: "20" });
    await running.printed("step 10/50");
    running.process.kill("SIGINT");
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);
    const command = /^ {2}(npx lectern train .*)$/m.exec(stopped.stderr)?.[1];
    expect(command).toBe(`npx lectern train recipe.yaml 'output_dir=${output}' resume_from_checkpoint=true`);
    const resumed = await lectern(["train", "recipe.yaml", `output_dir=${output}`, "resume_from_checkpoint=true"]);
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toMatch(/resuming from .*checkpoint-1\d/);
    expect(await weights(output)).toBe(await weights("whole"));
  });

  test("asked to stop a second time stops at once", async () => {
    const running = start(["train", "recipe.yaml", "output_dir=twice"], { FAKE_STEP_DELAY: "30000" });
    await running.printed("evaluation before training");
    running.process.kill("SIGTERM");
    await running.printed("stopping: this step is finished");
    running.process.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
  });

  test("kill -9 in the middle of saving leaves the previous checkpoint whole, and it is the one resumed", async () => {
    const running = start(["train", "recipe.yaml", "output_dir=killed"], { FAKE_HANG_WHILE_SAVING: "2" });
    await running.printed("half saved");
    running.process.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
    expect((await readdir(join(folder, "killed"))).filter((name) => name.startsWith("checkpoint-"))).toEqual(["checkpoint-20"]);
    const resumed = await lectern(["train", "recipe.yaml", "output_dir=killed", "resume_from_checkpoint=true"]);
    expect(resumed.stderr).toContain("resuming from killed/checkpoint-20");
    expect(await weights("killed")).toBe(await weights("whole"));
    expect((await readdir(join(folder, "killed"))).filter((name) => name.includes("checkpoint")).sort()).toEqual([
      "checkpoint-20",
      "checkpoint-40",
      "checkpoint-50",
    ]);
  });

  test("an output folder in use is an error before anything is opened", async () => {
    const { code, stdout, stderr } = await lectern(["train", "recipe.yaml", "output_dir=whole"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error OUTPUT_IN_USE: whole already holds a run/);
    expect(stderr).not.toContain("a model of 8 numbers");
  });
});

describe("mistakes", () => {
  test("in a recipe are told without a stack, exit code 1", async () => {
    const { code, stdout, stderr } = await lectern(["train", "recipe.yaml", "learning_rat=1"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatchInlineSnapshot(`
      "error RECIPE_UNKNOWN_KEY: override learning_rat=1: learning_rat is not a key of a recipe. Did you mean learning_rate?
        next: Write learning_rate, or see docs/recipes.md for every key.
      "
    `);
  });

  test("with --json are a line of JSON on stderr", async () => {
    const { code, stdout, stderr } = await lectern(["train", "none.yaml", "--json"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(lines(stderr)).toEqual([
      { error: expect.objectContaining({ code: "FILE_MISSING", message: "There is no none.yaml." }) as unknown },
    ]);
  });
});
