/** What a recipe opens: data, model, optimizer and their files, in this process. */
import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyReader } from "../../test/tiny-reader.js";
import { openTinyRecipes, type TinyRecipes } from "../../test/tiny-recipe.js";
import { openSafetensors } from "../checkpoint/safetensors.js";
import { openExtractiveRun } from "./extractive-run.js";
import type { StepResult } from "./run.js";

let recipes: TinyRecipes;
let folder: string;
beforeAll(async () => {
  recipes = await openTinyRecipes();
  ({ folder } = recipes);
});
afterAll(() => recipes.remove());
const open = (...overrides: string[]) => openExtractiveRun(recipes.recipe(...overrides));

let made = 0;
async function newFolder(): Promise<string> {
  const path = join(folder, `made-${made++}`);
  await mkdir(path);
  return path;
}
/** Names → bytes of a safetensors file. */
function tensorsOf(file: string): Map<string, Buffer> {
  const source = openSafetensors(file);
  const tensors = new Map(source.names().map((name) => [name, Buffer.from(source.readRaw(name))]));
  source.close();
  return tensors;
}

describe("what is said once", () => {
  test("of a reader: what its data are", async () => {
    const run = await open();
    expect(run.describe()).toEqual([
      expect.stringMatching(/^training: 24 questions in \d+ windows of \d+ tokens on average$/),
      expect.stringMatching(/^evaluation: 6 questions in \d+ windows of \d+ tokens on average$/),
    ]);
    expect(run.card).toMatchObject({ trainSamples: 24, evaluationSamples: 6, pipelineTag: "question-answering" });
    const histograms = Object.entries(run.histograms).map(([tag, values]) => [tag, values.length >= 24]);
    expect(histograms).toEqual(["question", "context", "answer", "window"].map((what) => [`data/${what}_tokens`, true]));
    await run.close();
  });

  test("of an encoder: the head is new, the rest of the checkpoint is not used", async () => {
    const names = { holds: (name: string) => name.startsWith("bert."), rename: (name: string) => name.slice(5) };
    await writeTinyReader(join(folder, "encoder"), names);
    const run = await open(`model=${join(folder, "encoder")}`);
    expect(run.describe()[0]).toBe("not in encoder, initialised from the seed: qa_outputs.weight, qa_outputs.bias");
    await run.close();
  });
});

describe("data", () => {
  test("are held out for evaluation by the share that is asked for", async () => {
    const run = await open("eval_files=[]", "validation_split=0.25");
    expect(run.card.trainSamples).toBeLessThan(24);
    expect(run.card.trainSamples! + run.card.evaluationSamples!).toBeLessThanOrEqual(24);
    expect(run.evaluator).toBeDefined();
    await run.close();
  });

  test("without any for evaluation there is no evaluator", async () => {
    const run = await open("eval_files=[]");
    expect(run.evaluator).toBeUndefined();
    await run.close();
  });
});

describe("training", () => {
  test("steps lower the loss, and are counted in windows and real tokens", async () => {
    const run = await open();
    const results: StepResult[] = [];
    for (let step = 0; step < 3 * run.batches.stepsPerEpoch; step++) results.push(await run.step.run(run.batches.batch(step), 0.01));
    const epoch = (index: number) => results.slice(index * run.batches.stepsPerEpoch, (index + 1) * run.batches.stepsPerEpoch);
    const mean = (part: typeof results) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(epoch(2))).toBeLessThan(mean(epoch(0)));
    const windows = run.histograms["data/window_tokens"] as number[];
    expect(epoch(0).reduce((sum, { samples }) => sum + samples, 0)).toBe(windows.length);
    expect(epoch(0).reduce((sum, { tokens }) => sum + tokens, 0)).toBe(windows.reduce((sum, length) => sum + length, 0));
    await run.close();
  });

  test("leaves frozen parameters as they are, bit for bit", async () => {
    const run = await open("frozen_parameters=[bert.embeddings.*, '*.layer.?.attention.*']");
    const [before, after] = [await newFolder(), await newFolder()];
    await run.saveable.saveModel(before);
    for (let step = 0; step < 3; step++) await run.step.run(run.batches.batch(step), 0.01);
    await run.saveable.saveModel(after);
    const [old, now] = [before, after].map((path) => tensorsOf(join(path, "model.safetensors")));
    for (const [name, values] of old) {
      const frozen = name.startsWith("bert.embeddings.") || name.includes(".attention.");
      expect(now.get(name)!.equals(values), name).toBe(frozen);
    }
    await run.close();
  });

  test.each([
    ["AdamW", ["optim=adamw"]],
    ["Adafactor", ["optim=adafactor"]],
    ["SGD", ["optim=sgd"]],
    ["micro-batches at once", ["micro_batches_at_once=2", "micro_batch_size=1"]],
  ])("with %s goes on from saved state bit for bit", async (_, overrides) => {
    const state = await newFolder();
    const first = await open(...overrides, "weight_decay=0.01");
    const losses = [];
    for (let step = 0; step < 5; step++) {
      if (step === 2) {
        await first.saveable.saveModel(state);
        await first.saveable.saveState(state);
      }
      losses.push((await first.step.run(first.batches.batch(step), 0.01)).loss);
    }
    await first.close();
    const second = await open(...overrides, "weight_decay=0.01");
    await second.saveable.loadModel(state);
    await second.saveable.loadState(state);
    for (let step = 2; step < 5; step++) expect((await second.step.run(second.batches.batch(step), 0.01)).loss).toBe(losses[step]);
    await second.close();
  });

  test("refuses the state of another optimizer", async () => {
    const state = await newFolder();
    const run = await open("optim=sgd");
    await run.saveable.saveState(state);
    await run.close();
    const other = await open("optim=adamw");
    await expect(other.saveable.loadState(state)).rejects.toMatchObject({
      code: "CHECKPOINT_MISMATCH",
      detail: { next: expect.stringContaining("optim=sgd") as string },
    });
    await other.close();
  });

  test("refuses the state of other parameters", async () => {
    const state = await newFolder();
    const run = await open("frozen_parameters=[bert.*]");
    await run.saveable.saveState(state);
    await run.close();
    const other = await open();
    await expect(other.saveable.loadState(state)).rejects.toMatchObject({ name: "LecternError" });
    await other.close();
  });
});

describe("evaluation", () => {
  test("has Hugging Face's names, and is the same when made again", async () => {
    const run = await open();
    const told: [number, number][] = [];
    const first = await run.evaluator!.run((done, total) => told.push([done, total]));
    expect(Object.keys(first)).toEqual([
      ...["eval_loss", "eval_exact", "eval_f1", "eval_runtime"],
      ...["eval_samples", "eval_windows", "eval_questions_cut", "eval_samples_per_second", "eval_steps_per_second"],
    ]);
    expect(told.at(-1)![0]).toBe(told.at(-1)![1]);
    await run.step.run(run.batches.batch(0), 0.01);
    const trained = await run.evaluator!.run();
    expect(trained.eval_loss).not.toBe(first.eval_loss); // it reads the weights as they are now
    expect((await run.evaluator!.run()).eval_loss).toBe(trained.eval_loss);
    await run.close();
  });

  test("with padding in the loss gives transformers' figure: more than without, by about the padding's share", async () => {
    const run = await open("pad_to_max_length=true", "mask_padding_in_loss=false");
    const own = await open();
    const [padded, masked] = [await run.evaluator!.run(), await own.evaluator!.run()];
    expect(padded.eval_loss).toBeGreaterThanOrEqual(masked.eval_loss);
    expect(padded.eval_exact).toBe(masked.eval_exact);
    await run.close();
    await own.close();
  });
});

describe("what is refused", () => {
  test("windows longer than the model's positions", async () => {
    await expect(open("max_length=129")).rejects.toMatchObject({
      code: "SEQUENCE_TOO_LONG",
      detail: { expected: "at most 128 tokens", received: "129" },
    });
  });

  test("freezing everything", async () => {
    await expect(open("frozen_parameters=['*']")).rejects.toMatchObject({ code: "NOTHING_TO_TRAIN" });
  });

  test("freezing by a pattern that matches nothing", async () => {
    await expect(open("frozen_parameters=['bert.*', 'embeddings.*']")).rejects.toMatchObject({
      code: "NOTHING_FROZEN",
      detail: { received: "embeddings.*", expected: expect.stringContaining("bert.embeddings.word_embeddings.weight") as string },
    });
  });

  test.each([
    ["a model that is not there", () => [`model=${join(folder, "nowhere")}`], /FILE_MISSING|HUB_NAME/],
    ["data that are not there", () => [`train_files=${join(folder, "none.json")}`], /FILE_MISSING/],
    ["data without a question", () => [`train_files=${join(folder, "empty.json")}`], /DATA_EMPTY/],
    ["data without an answer to learn", () => [`train_files=${join(folder, "impossible.json")}`], /NO_TRAINABLE_ANSWER/],
    ["a window without room for text", () => ["max_length=8", "stride=7"], /TOKENIZER_WINDOW/],
  ])("%s", async (_, overrides, code) => {
    const paragraph = (qas: unknown[]) =>
      JSON.stringify({ version: "v2.0", data: [{ title: "t", paragraphs: [{ context: "Some text.", qas }] }] });
    await writeFile(join(folder, "empty.json"), paragraph([]));
    await writeFile(join(folder, "impossible.json"), paragraph([{ id: "1", question: "Why?", answers: [], is_impossible: true }]));
    await expect(open(...overrides())).rejects.toMatchObject({ code: expect.stringMatching(code) as string });
  });

  test("nothing was written by any of them", async () => {
    const untouched = join(folder, "untouched");
    await cp(join(folder, "tiny"), untouched, { recursive: true });
    const before = await readdir(untouched);
    await expect(open(`model=${untouched}`, "max_length=129")).rejects.toThrow();
    expect(await readdir(untouched)).toEqual(before);
  });
});

test.each([[], ["version_2_with_negative=true"]])("questions without answer are evaluated as SQuAD 2.0's %s", async (...overrides) => {
  const qas = [
    { id: "1", question: "What?", answers: [{ text: "text", answer_start: 5 }], is_impossible: false },
    { id: "2", question: "Why?", answers: [], is_impossible: true },
  ];
  const file = join(folder, "squad2.json");
  await writeFile(file, JSON.stringify({ version: "v2.0", data: [{ title: "t", paragraphs: [{ context: "Some text.", qas }] }] }));
  const run = await open(`eval_files=${file}`, `train_files=${file}`, ...overrides);
  expect(await run.evaluator!.run()).toMatchObject({ eval_total: 2, eval_NoAns_total: 1 });
  expect(run.describe()).toContainEqual(expect.stringMatching(/^training: 2 questions .*1 without an answer/));
  await run.close();
});

test("rows that cannot be read are left out where max_bad_rows allows it", async () => {
  const row = { context: "Some text.", question: "What?", answers: { text: ["text"], answer_start: [5] } };
  const file = join(folder, "bad-rows.jsonl");
  const lines = [...Array.from({ length: 8 }, () => JSON.stringify(row)), "{", JSON.stringify({ ...row, question: null })];
  await writeFile(file, lines.join("\n"));
  await expect(open(`train_files=${file}`)).rejects.toMatchObject({
    code: "DATA_BAD_ROWS",
    detail: {
      message: "2 of 10 rows of the data cannot be read.",
      received: expect.stringMatching(/not JSON in UTF-8 \(1, the first at .*bad-rows\.jsonl: line 9\); question is missing \(1/) as string,
      next: expect.stringContaining("max_bad_rows=2") as string,
    },
  });
  for (const [most, allowed] of [[1, false], [0.19, false], [0.2, true], [2, true]] as const) {
    const opened = open(`train_files=${file}`, `max_bad_rows=${most}`);
    if (!allowed) await expect(opened).rejects.toMatchObject({ code: "DATA_BAD_ROWS" });
    else {
      const run = await opened;
      expect(run.describe().join("\n")).toMatch(/1 row that cannot be read, left out[^]*line 9[^]*training: 8 questions/);
      await run.close();
    }
  }
});

test("a damaged state of the optimizer is told, whatever of it is damaged", async () => {
  const run = await open();
  const saved = await newFolder();
  for (const text of ["{", "[]", '{"name": "adamw", "step": -1}', '{"name": 3, "step": 1}']) {
    await run.saveable.saveState(saved);
    await writeFile(join(saved, "optimizer.json"), text);
    await expect(run.saveable.loadState(saved)).rejects.toMatchObject({ code: "CHECKPOINT_INCOMPLETE" });
  }
  const other = await open("frozen_parameters=[bert.embeddings.*]");
  await other.saveable.saveState(saved);
  await expect(run.saveable.loadState(saved)).rejects.toMatchObject({ code: "TENSOR_MISSING" });
  await run.close();
  await other.close();
});
