/** Training from a program: rows in memory, the model by an option, and what is told of both. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyReader } from "../../test/tiny-reader.js";
import { loadExamples } from "../data/examples.js";
import type { QuestionRow } from "../data/given-rows.js";
import { LecternError } from "../errors.js";
import { train, type TrainOptions } from "./train-recipe.js";
import type { RecipeInput } from "./recipe.js";

let folder: string;
let model: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-program-"));
  model = await writeTinyReader(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

const capitals = ["Paris", "Rome", "Madrid", "Lisbon", "Vienna", "Athens", "Dublin", "Oslo"];
const rows: QuestionRow[] = capitals.map((answer, index) => {
  const before = `Line ${index} of the list names `;
  return {
    question: `Which city does line ${index} name?`,
    context: `${before}${answer}.`,
    answers: { text: [answer], answer_start: [before.length] },
  };
});

let runs = 0;
const newRun = (): string => join(folder, `run-${runs++}`);
const short: Partial<RecipeInput> = {
  max_steps: 2,
  max_length: 64,
  stride: 16,
  report_to: [],
  logging_steps: 1,
  save_steps: 2,
  learning_rate: 0.01,
};
const run = (options: TrainOptions, recipe: Partial<RecipeInput> = {}) => train({ ...short, output_dir: newRun(), ...recipe }, options);
const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), "utf8")) as Record<string, unknown>;

async function* oneByOne<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield item;
}

describe("rows in memory", () => {
  test("train and evaluate like the same rows in a file: losses and figures are equal", async () => {
    const file = join(folder, "trainData.jsonl");
    await writeFile(file, rows.map((row) => JSON.stringify(row)).join("\n"));
    const figures = ({ results }: { results: Record<string, number> }) => [
      results.train_loss,
      results.baseline_f1,
      results.f1,
      results.eval_loss,
    ];
    const fromFile = await run({ model }, { train_files: file, eval_files: file });
    const fromMemory = await run({ model, trainData: rows, evalData: rows });
    const fromStream = await run({ model, trainData: oneByOne(rows), evalData: new Set(rows) });
    const { examples } = await loadExamples(file);
    const fromExamples = await run({ model, trainData: examples, evalData: examples });
    expect(fromFile.results.train_loss).toBeGreaterThan(0);
    for (const other of [fromMemory, fromStream, fromExamples]) expect(figures(other)).toEqual(figures(fromFile));
    const identity = async (folder: string) => (await json(folder, "data.json"))["train"] as Record<string, unknown>;
    expect(await identity(fromMemory.model)).toEqual({ ...(await identity(fromFile.model)), files: ["rows:trainData"] });
    expect(await readFile(join(fromMemory.model, "recipe.yaml"), "utf8")).toContain("- rows:trainData");
  });

  test("take the place of the recipe's files, which is told, and so is what was found in them", async () => {
    const notes: string[] = [];
    const recipe = join(folder, "files.yaml");
    await writeFile(
      recipe,
      `model: nowhere\ntrain_files: nowhere.json\neval_file: nowhere.json\nmax_steps: 1\nmax_length: 64\nstride: 16\noutput_dir: ${newRun()}\n`,
    );
    const moved = { ...rows[0], answers: { text: ["Paris"], answer_start: [3] } };
    await train(recipe, { model, trainData: [...rows, moved], evalData: rows, onNote: (line) => notes.push(line) });
    expect(notes).toEqual(
      expect.arrayContaining([
        `${recipe}: model gives way to the option model`,
        `${recipe}: train_files gives way to the option trainData`,
        `${recipe}: eval_file gives way to the option evalData`,
        "1 answer found elsewhere in the context than stated",
        expect.stringMatching(/^training: 9 questions in 9 windows/),
      ]),
    );
  });

  test("that cannot be read are refused as those of files are, by their number", async () => {
    const bad = [...rows, { question: "Which?", context: 7 }] as unknown as QuestionRow[];
    await expect(run({ model, trainData: bad })).rejects.toThrow(/1 of 9 rows[^]*trainData: row 8/);
    const { results } = await run({ model, trainData: bad }, { max_bad_rows: 1 });
    expect(results.train_steps).toBe(2);
    await expect(run({ model, trainData: [] })).rejects.toThrow(/trainData holds no question\.[^]*a generator gives them once/);
    await expect(run({ model, trainData: "train.json" as unknown as QuestionRow[] })).rejects.toThrow(
      /trainData holds no rows[^]*train_files/,
    );
    await expect(run({ model, trainData: 5 as unknown as QuestionRow[] })).rejects.toThrow(/trainData holds no rows/);
  });

  test("an error of what gives them comes through as it is, and no more rows than max_train_samples are asked for", async () => {
    const failure = new Error("the database is gone");
    async function* failing() {
      yield rows[0];
      throw failure;
    }
    await expect(run({ model, trainData: failing() })).rejects.toBe(failure);
    const { results } = await run({ model, trainData: failing() }, { max_train_samples: 1 });
    expect(results.train_samples).toBe(2); // one question in each of two steps
  });
});

describe("what is missing or given twice is told", () => {
  const codeOf = async (work: Promise<unknown>) => {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof LecternError)) throw new Error("no LecternError was thrown", { cause: error });
    return [error.code, error.detail.message];
  };

  test("neither files nor rows, neither a model in the recipe nor as an option", async () => {
    expect(await codeOf(train({ ...short }, {}))).toEqual([
      "RECIPE_VALUE",
      expect.stringMatching(/model is missing[^]*train_files is missing/),
    ]);
    expect(await codeOf(train({ ...short, model }))).toEqual(["RECIPE_VALUE", expect.stringContaining("train_files is missing")]);
    await expect(train({ ...short, model })).rejects.toThrow(/next: .* Or give the option trainData\./);
  });

  test("an override and an option for the same", async () => {
    const overrides = ["train_file=a.json"];
    expect(await codeOf(train({ ...short, model }, { trainData: rows, overrides }))).toEqual([
      "RECIPE_CONTRADICTION",
      "recipe: override train_file=a.json and the option trainData both say what train_files is.",
    ]);
  });

  test("a recipe that names rows of another program", async () => {
    expect(await codeOf(train({ ...short, model, train_files: "rows:trainData", output_dir: newRun() }))).toEqual([
      "DATA_ROWS_MISSING",
      expect.stringContaining("rows:trainData"),
    ]);
  });
});

test("a run that goes on with other rows says so, and with the same ones does not", async () => {
  const output_dir = newRun();
  const again = async (trainData: QuestionRow[], max_steps: number) => {
    const notes: string[] = [];
    await run(
      { model, trainData, onEvent: (event) => void (event.type === "start" && notes.push(...event.notes)) },
      { output_dir, max_steps, resume_from_checkpoint: max_steps > 2 },
    );
    return notes;
  };
  await again(rows, 2);
  expect((await again(rows, 4)).filter((note) => !note.startsWith("max_steps"))).toEqual([]);
  expect((await again(rows.slice(1), 6)).filter((note) => !note.startsWith("max_steps"))).toEqual([
    "the training data were 8 questions of rows:trainData when the checkpoint was saved and are 7 questions of rows:trainData now, not the same ones: the result is not that of either run alone",
  ]);
});
