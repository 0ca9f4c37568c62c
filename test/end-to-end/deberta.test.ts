/** `lectern train` with a DeBERTa whose folder has no tokenizer but its spm.model, as microsoft/deberta-v3-base: it learns, and resumes exactly. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { QuestionAnswerer } from "../../src/tasks/extractive/question-answerer.js";
import { sentencePieceModel, writeTinyReader } from "../tiny-reader.js";
import { jsonLines, openWorkplace, type Workplace } from "./command-line.js";

let place: Workplace;
const settings = ["model=deberta", "max_steps=40", "save_steps=20", "eval_steps=40", "learning_rate=0.01", "--json"];
beforeAll(async () => {
  place = await openWorkplace();
  await writeTinyReader(join(place.folder, "deberta"), {
    type: "deberta-v2",
    config: { vocab_size: 601 },
    tokenizer: [sentencePieceModel],
  });
});
afterAll(() => place.remove());

test("it learns, and is saved with a tokenizer.json", async () => {
  const whole = await place.lectern("train", "recipe.yaml", "output_dir=whole", ...settings);
  expect([whole.code, whole.stderr]).toEqual([0, ""]);
  const losses = jsonLines(whole.stdout).flatMap(({ type, loss }) => (type === "log" ? [loss as number] : []));
  expect(losses).toHaveLength(40);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(mean(losses.slice(-8))).toBeLessThan(mean(losses.slice(0, 8)) - 0.5);
  for (const name of ["tokenizer.json", "spm.model"]) expect(existsSync(join(place.folder, "whole", name)), name).toBe(true);
  expect(await place.json("whole", "config.json")).toMatchObject({ architectures: ["DebertaV2ForQuestionAnswering"] });
});

test("killed and resumed, it is bit-identical to the run that was not", async () => {
  const running = place.start("train", "recipe.yaml", "output_dir=killed", ...settings);
  await running.printed('"type":"log","step":23');
  running.process.kill("SIGKILL");
  await running.ended;
  const resumed = await place.lectern("train", "recipe.yaml", "output_dir=killed", "resume_from_checkpoint=true", ...settings);
  expect(resumed.code).toBe(0);
  expect(jsonLines(resumed.stdout)[0]).toMatchObject({ type: "start", step: 20 });
  for (const file of ["model.safetensors", "tokenizer.json", join("checkpoint-40", "optimizer.safetensors")]) {
    expect((await place.read("killed", file)).equals(await place.read("whole", file)), file).toBe(true);
  }
});

test("what it wrote answers questions, with places in the text as it stands there", async () => {
  const reader = await QuestionAnswerer.from(join(place.folder, "whole"));
  const context = "  The bridge\u00a0was 😀 built\r\nin 1894 by\t Ada Lovelace.  ";
  for (const question of ["Who built it?", "When?", "What?"]) {
    const { answer, start, end } = await reader.answer({ question, context });
    expect(answer).toBe(context.slice(start, end));
    expect(answer).toMatch(/^\S(.*\S)?$/s);
  }
});
