/** Every program in examples/ runs and prints what it says. They import "lectern" as a user would; tsconfig.json leads that to src/. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startTypeScript } from "./process.js";

const folder = mkdtempSync(join(tmpdir(), "lectern-examples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = ["max_steps=1", "max_train_samples=8", "max_eval_samples=4", "logging_steps=1", `output_dir=${join(folder, "run")}`];

const examples: Record<string, { words?: string[]; prints: RegExp }> = {
  "answer.ts": {
    words: ["starter/minilm-l6"],
    prints: /^Who designed the Analytical Engine\? {2}.+\(characters \d+ to \d+, score [01]\.\d\d\)\nWhere /,
  },
  "engine.ts": { prints: /\ny = 3\.000 x \+ 1\.000, loss \d\.\de-\d+\n$/ },
  "extend.ts": { words: [join(folder, "extend")], prints: /^\d+% begin right before, \d+% after; F1 \d+\nthe boat is [a-z]+\n$/ },
  "own-parts.ts": { prints: /^$/ },
  "report.ts": {
    words: ["starter/minilm-l6", "starter/minilm-l6", join(folder, "report"), "4"],
    prints: /^F1 \d+\.\d and \d+\.\d: open .*report\.html\nanswers are 0\.0 characters longer \(95%: 0\.0 to 0\.0\)\n$/,
  },
  "rows.ts": {
    words: ["max_steps=1", `output_dir=${join(folder, "rows")}`],
    prints: /\ntraining: 24 questions in 24 windows of \d+ tokens on average; 12 without an answer\n[^]*F1 \d+\.\d before, \d+\.\d after; /,
  },
  "score.ts": { prints: /exact match \d+\.\d, F1 \d+\.\d\n$/ },
  "train.ts": { words: small, prints: /^step 1: loss \d\.\d+, .*\nF1 \d+\.\d before, \d+\.\d after; the model is in / },
};

test("every example is here", () => {
  expect(
    readdirSync("examples")
      .filter((name) => name.endsWith(".ts"))
      .sort(),
  ).toEqual(Object.keys(examples).sort());
});

test.each(Object.entries(examples))("examples/%s", async (name, { words = [], prints }) => {
  const { code, stdout, stderr } = await startTypeScript(join("examples", name), words, { cwd: process.cwd() }).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(prints);
});

test("examples/train.ts tells a mistake in one line, with its code", async () => {
  const { code, stderr } = await startTypeScript("examples/train.ts", ["learning_rat=1"], { cwd: process.cwd() }).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^RECIPE_UNKNOWN_KEY: .*learning_rate/);
});
