/** Metrics that a program adds: where their figures appear, and which are refused. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { loadExamples, type QaExample } from "../data/examples.js";
import { train, type TrainOptions } from "../train/train-recipe.js";
import type { TrainEvent } from "../train/events.js";
import { evaluateModel } from "./evaluate-model.js";
import { type Metric, ownMetricNames, registerMetric } from "./own-metrics.js";
import { writeReport } from "./report/write-report.js";

let folder: string;
let model: string;
let examples: QaExample[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-metrics-"));
  model = await writeTinyReader(join(folder, "tiny"));
  ({ examples } = await loadExamples(join(starter, "squad/dev.json"), { limit: 6 }));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs with metrics, and without them again. */
async function having<T>(metrics: readonly Metric[], work: () => Promise<T>): Promise<T> {
  const remove = metrics.map(registerMetric);
  try {
    return await work();
  } finally {
    for (const one of remove) one();
  }
}

const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), "utf8")) as Record<string, unknown>;

describe("a metric of a program", () => {
  test("is the mean of its numbers, or the number of them all, beside the other figures and in the report", async () => {
    const length: Metric = { name: "answer_length", perQuestion: ({ prediction }) => prediction.length };
    const distinct: Metric = { name: "distinct", overall: async (results) => new Set(results.map(({ prediction }) => prediction)).size };
    const evaluation = await having([length, distinct], () => evaluateModel(model, examples, { maxLength: 96, stride: 32 }));
    const predictions = [...evaluation.answers.predictions.values()];
    expect(evaluation.metrics).toMatchObject({
      answer_length: predictions.reduce((sum, { length }) => sum + length, 0) / predictions.length,
      distinct: new Set(predictions).size,
    });
    const { page } = await writeReport(join(folder, "report"), { examples, model: evaluation });
    expect(await readFile(page, "utf8")).toMatch(/<t[dh][^>]*>answer_length<\/t[dh]>/);
    expect(ownMetricNames()).toEqual([]);
    expect((await evaluateModel(model, examples, { maxLength: 96, stride: 32 })).metrics).not.toHaveProperty("answer_length");
  });

  test("decides which checkpoint is the best, and stands in every file of a run", async () => {
    const values = [5, 1, 9, 4];
    let evaluations = 0;
    const events: TrainEvent[] = [];
    const output_dir = join(folder, "run");
    const options: TrainOptions = { model, trainData: examples, evalData: examples, onEvent: (event) => void events.push(event) };
    const steps = {
      max_steps: 3,
      eval_steps: 1,
      save_steps: 1,
      eval_strategy: "steps",
      max_length: 96,
      stride: 32,
      learning_rate: 0.01,
    } as const;
    const best = { load_best_model_at_end: true, metric_for_best_model: "liking" };
    const { results } = await having([{ name: "liking", overall: () => values[evaluations++] }], () =>
      train({ ...steps, ...best, output_dir }, options),
    );
    expect(results).toMatchObject({ baseline_liking: 5, liking: 9 });
    expect(events.flatMap((event) => (event.type === "evaluation" ? [event.metrics["eval_liking"]] : []))).toEqual(values);
    expect(events.at(-1)).toMatchObject({ type: "done", loadedBest: join(output_dir, "checkpoint-2") });
    const state = await json(output_dir, "trainer_state.json");
    expect(state).toMatchObject({ best_metric: 9, best_global_step: 2 });
    expect(await json(output_dir, "eval_results.json")).toMatchObject({ eval_liking: 9 });
    expect(await readFile(join(output_dir, "README.md"), "utf8")).toContain("| liking | 5 | 9 |");
  });

  test("ends a run where it is no number that a file can hold, and says of which question", async () => {
    const halves: Metric = { name: "halves", perQuestion: ({ example }) => (example === examples[2] ? NaN : 1) };
    await expect(having([halves], () => evaluateModel(model, examples, { maxLength: 96, stride: 32 }))).rejects.toMatchObject({
      code: "METRIC_VALUE",
      message: expect.stringContaining(examples[2].id) as string,
    });
  });

  test("that the program did not add is told with those that there are", async () => {
    const recipe = { max_steps: 1, max_length: 96, stride: 32, output_dir: join(folder, "unknown"), metric_for_best_model: "likeness" };
    const run = having([{ name: "liking", overall: () => 1 }], () => train(recipe, { model, trainData: examples, evalData: examples }));
    await expect(run).rejects.toMatchObject({ code: "METRIC_UNKNOWN", message: expect.stringContaining("f1, liking, ") as string });
  });
});

test.each(["f1", "loss", "runtime", "eval_mine", "HasAns_mine", "samples", "latency_mine", "my metric", "", "9th", "best_mine"])(
  "the name %j is refused",
  (name) => {
    expect(() => registerMetric({ name, overall: () => 0 })).toThrow(expect.objectContaining({ code: "EXTENSION_INVALID" }) as Error);
  },
);

test("a name is taken once, and free again when its metric is taken away; a metric says how it is computed", () => {
  const remove = registerMetric({ name: "mine", overall: () => 0 });
  expect(() => registerMetric({ name: "mine", overall: () => 0 })).toThrow(/the name of another figure/);
  remove();
  registerMetric({ name: "mine", overall: () => 0 })();
  for (const metric of [{ name: "mine" }, { name: "mine", overall: () => 0, perQuestion: () => 0 }, { name: "mine", overall: 5 }]) {
    expect(() => registerMetric(metric as unknown as Metric)).toThrow(/does not say how/);
  }
});
