import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { runVerb } from "../../test/verbs.js";
import { loadExamples } from "../data/examples.js";
import { QuestionAnswerer } from "../tasks/extractive/question-answerer.js";
import { registerEvaluate } from "./evaluate.js";
import { registerScore } from "./score.js";

let folder: string;
const dev = join(starter, "squad/dev.json");
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-evaluate-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

const evaluate = (...words: string[]) =>
  runVerb(registerEvaluate, "evaluate", "--model", join(folder, "tiny"), "--max-length", "96", "--stride", "32", ...words);
/** What every evaluation prints, in its order. */
const figureNames = [
  ...["eval_loss", "exact", "f1", "plain_exact", "unigram_f1", "levenshtein_distance", "levenshtein_similarity"],
  ...["eval_runtime", "eval_samples", "eval_windows", "eval_questions_cut", "eval_samples_per_second", "eval_steps_per_second"],
  "eval_model_preparation_time",
  ...["eval_latency_median_ms", "eval_latency_p99_ms"],
];
const json = async (...path: string[]) => JSON.parse(await readFile(join(folder, ...path), "utf8")) as Record<string, unknown>;

describe("lectern evaluate", () => {
  test("prints the figures, one on a line", async () => {
    const { exitCode, stdout } = await evaluate("--data", dev, "--max-samples", "5");
    expect(exitCode).toBe(0);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(/ +/)[0]),
    ).toEqual(figureNames);
    expect(stdout).toMatch(/^eval_loss +\d+\.\d{4}$/m);
  });

  test("counts the questions that were cut, and tells of them", async () => {
    const rows = ["Who?", "Who wrote ".repeat(40)].map((question, id) => ({ id, question, context: "Ada wrote it.", answers: [{ text: "Ada", answer_start: 0 }] }));
    await writeFile(join(folder, "long.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
    const { stdout, stderr } = await evaluate("--data", join(folder, "long.jsonl"));
    expect(stdout).toMatch(/^eval_questions_cut +1$/m);
    expect(stderr).toContain("1 of 2 questions are longer than half of a window (48 tokens), and were read up to there.\n");
  });

  test("with --json prints one object and nothing else", async () => {
    const { stdout, stderr } = await evaluate("--data", dev, "--max-samples", "5", "--json");
    expect(stderr).toBe("");
    const figures = JSON.parse(stdout) as Record<string, number>;
    expect(Object.keys(figures)).toEqual(figureNames);
    expect(figures.eval_samples).toBe(5);
    expect(figures.eval_windows).toBeGreaterThan(5);
    expect(figures.eval_latency_p99_ms).toBeGreaterThanOrEqual(figures.eval_latency_median_ms);
  });

  test("gives intervals where they are asked for, and leaves the latency out where it is not", async () => {
    const run = async (...words: string[]) =>
      JSON.parse((await evaluate("--data", dev, "--max-samples", "12", "--json", "--latency-questions", "0", ...words)).stdout) as Record<string, number>;
    const figures = await run("--bootstrap", "500");
    for (const metric of ["exact", "f1"]) {
      expect(figures[`${metric}_low`]).toBeLessThanOrEqual(figures[metric]);
      expect(figures[`${metric}_high`]).toBeGreaterThanOrEqual(figures[metric]);
    }
    expect(figures).not.toHaveProperty("eval_latency_median_ms");
    expect((await run("--bootstrap", "500")).f1_low).toBe(figures.f1_low);
    expect(await run("--bootstrap")).toHaveProperty("f1_high"); // 10,000 samples where no number is named
    expect(await run()).not.toHaveProperty("f1_low");
  });

  test("pads as the published recipes do: the loss is transformers', and the answers are the same", async () => {
    const run = async (...words: string[]) =>
      JSON.parse((await evaluate("--data", dev, "--max-samples", "8", "--json", ...words)).stdout) as Record<string, number>;
    const [without, padded, byOne] = [await run(), await run("--pad-to-max-length"), await run("--pad-to-max-length", "--batch-size", "1")];
    expect(padded.eval_loss).toBeGreaterThan(without.eval_loss);
    expect(byOne.eval_loss).toBeCloseTo(padded.eval_loss, 5); // not a matter of what a window is batched with
    expect(padded.f1).toBe(without.f1);
  });

  test("measures what transformers' pipeline would answer", async () => {
    const out = join(folder, "as the pipeline");
    await evaluate("--data", dev, "--max-samples", "8", "--decoding", "pipeline", "--out", out);
    const asked = await QuestionAnswerer.from(join(folder, "tiny"));
    const { examples } = await loadExamples(dev, { limit: 8 });
    const answers = await asked.answer(examples, { max_seq_len: 96, doc_stride: 32, max_question_len: 48 });
    asked.release();
    const nBest = await json("as the pipeline", "nbest_predictions.json");
    expect(await json("as the pipeline", "predictions.json")).toEqual(Object.fromEntries(examples.map(({ id }, i) => [id, answers[i].answer])));
    for (const [i, { id }] of examples.entries()) {
      const [{ probability }] = nBest[id] as { probability: number }[];
      expect(probability).toBeCloseTo(answers[i].score, 6);
    }
  });

  test("writes predictions and null odds in SQuAD's formats, which score to the same figures", async () => {
    const out = join(folder, "answers");
    const { stdout } = await evaluate("--data", dev, "--max-samples", "20", "--out", out, "--json");
    const figures = JSON.parse(stdout) as Record<string, number>;
    expect((await readdir(out)).sort()).toEqual(["eval_results.json", "nbest_predictions.json", "null_odds.json", "predictions.json"]);
    expect(await json("answers", "eval_results.json")).toEqual(figures);
    const [predictions, nullOdds, nBest] = [
      await json("answers", "predictions.json"),
      await json("answers", "null_odds.json"),
      await json("answers", "nbest_predictions.json"),
    ];
    expect(Object.keys(predictions)).toHaveLength(20);
    for (const id of Object.keys(predictions)) {
      expect(nullOdds[id]).toBeTypeOf("number");
      const spans = nBest[id] as { text: string; probability: number }[];
      expect(spans[0].text).toBe(predictions[id]);
      expect(spans.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    }
    // the scorer wants the same questions: a data file of these twenty
    const data = JSON.parse(await readFile(dev, "utf8")) as { data: { paragraphs: { qas: { id: string }[] }[] }[] };
    for (const article of data.data)
      for (const paragraph of article.paragraphs) paragraph.qas = paragraph.qas.filter(({ id }) => id in predictions);
    await writeFile(join(folder, "twenty.json"), JSON.stringify(data));
    const scored = await runVerb(registerScore, "score", join(folder, "twenty.json"), join(out, "predictions.json"), "--json");
    expect(JSON.parse(scored.stdout)).toEqual({ exact_match: figures.exact, f1: figures.f1 });
  });

  test("writes a report, with what the model's folder tells of the time before training", async () => {
    const report = join(folder, "report");
    await writeFile(join(folder, "tiny", "all_results.json"), JSON.stringify({ baseline_exact: 0.25, baseline_f1: 1.5, f1: 30 }));
    const { exitCode, stdout, stderr } = await evaluate("--data", dev, "--max-samples", "12", "--report", report, "--json");
    await rm(join(folder, "tiny", "all_results.json"));
    expect([exitCode, stderr]).toEqual([0, ""]);
    const figures = JSON.parse(stdout) as Record<string, number>;
    const page = await readFile(join(report, "report.html"), "utf8");
    expect(page).toContain(`Before training: ${join(folder, "tiny", "all_results.json")}, measured on questions that the folder does not tell`);
    const metrics = await readFile(join(report, "metrics.csv"), "utf8");
    expect(metrics).toContain(`\nf1,1.5,${figures.f1},\n`);
    expect((await readFile(join(report, "examples.csv"), "utf8")).match(/^[0-9a-f]{24},/gm)).toHaveLength(12);
    expect((await readFile(join(report, "examples.csv"), "utf8")).split("\n")[0]).toContain("pipeline_prediction,pipeline_score");
    const names = await readdir(report);
    expect(names.filter((name) => name.startsWith("events.out.tfevents"))).toHaveLength(1);
    expect(names).not.toContain("comparison.csv");
  });

  test("sets the model before training, and a second model, beside it", async () => {
    await writeTinyReader(join(folder, "other"), { seed: 9 });
    const report = join(folder, "side by side");
    const words = ["--report", report, "--baseline", join(folder, "other"), "--compare", join(folder, "other")];
    const { exitCode, stderr } = await evaluate("--data", dev, "--max-samples", "12", ...words);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`the report is ${join(report, "report.html")}`);
    const [head, f1] = (await readFile(join(report, "comparison.csv"), "utf8")).split("\n");
    expect(head).toBe("metric,difference,low,high,share_better");
    const [difference, low, high] = f1.split(",").slice(1).map(Number);
    const row = (await readFile(join(report, "metrics.csv"), "utf8")).match(/^f1,(.*)$/m)![1].split(",").map(Number);
    expect(row[0]).toBe(row[2]); // before and compared are the same model here
    expect(100 * difference).toBeCloseTo(row[1] - row[2], 8);
    expect(low <= difference && difference <= high).toBe(true);
  });

  test("says once what the checkpoint lacks, and gives the same figures for a seed", async () => {
    await writeTinyReader(join(folder, "bare"), { holds: (name) => name.startsWith("bert."), rename: (name) => name.slice(5) });
    const run = (...words: string[]) =>
      runVerb(
        registerEvaluate,
        "evaluate",
        "--model",
        join(folder, "bare"),
        "--data",
        dev,
        "--max-samples",
        "3",
        "--max-length",
        "96",
        "--stride",
        "32",
        ...words,
      );
    const { stderr } = await run();
    expect(stderr.match(/initialised from the seed/g)).toHaveLength(1);
    const loss = async (seed: string) => (JSON.parse((await run("--seed", seed, "--json")).stdout) as { eval_loss: number }).eval_loss;
    expect(await loss("1")).toBe(await loss("1"));
    expect(await loss("2")).not.toBe(await loss("1"));
  });

  test("reads windows no longer than the model's positions, whatever is asked for", async () => {
    const { exitCode } = await runVerb(
      registerEvaluate,
      "evaluate",
      "--model",
      join(folder, "tiny"),
      "--data",
      dev,
      "--max-samples",
      "3",
      "--stride",
      "32",
    );
    expect(exitCode).toBe(0);
  });

  test.each([
    ["without data", [], /USAGE|--data/],
    ["a threshold that is no number", ["--data", dev, "--threshold", "high"], /It must be a number/],
    ["a stride as long as the window", ["--data", dev, "--max-samples", "2", "--stride", "96"], /TOKENIZER_WINDOW/],
    ["data that are not there", ["--data", "none.json"], /FILE_MISSING/],
    ["a comparison without a report", ["--data", dev, "--compare", starter], /USAGE: --compare is for a report/],
    ["a second model that is not there", ["--data", dev, "--report", "unused", "--compare", "./none"], /HUB_NAME|FILE_MISSING/],
  ])("refuses %s", async (_, words, message) => {
    const { exitCode, stdout, stderr } = await evaluate(...words);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(message);
  });

  test("questions without answer are scored as SQuAD 2.0's, told of or not", async () => {
    const qas = [{ id: "a", question: "Why?", answers: [], is_impossible: true }];
    await writeFile(
      join(folder, "v2.json"),
      JSON.stringify({ version: "v2.0", data: [{ paragraphs: [{ context: "Rome is old.", qas }] }] }),
    );
    const untold = await evaluate("--data", join(folder, "v2.json"));
    expect(untold.stderr).toMatch(/1 of 1 questions have no answer[^]*SQuAD 2\.0/);
    expect(untold.stdout).toMatch(/NoAns_total +1\n/);
    const told = await evaluate("--data", join(folder, "v2.json"), "--version-2-with-negative");
    expect(told.stderr).not.toMatch(/have no answer/);
    expect(told.stdout).toMatch(/NoAns_total +1\n/);
  });

  test.each(["--out", "--report"])("refuses a folder for %s that cannot be made", async (option) => {
    await writeFile(join(folder, "a file"), "");
    const { exitCode, stderr } = await evaluate("--data", dev, "--max-samples", "2", option, join(folder, "a file", "inside"));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/FILE_NOT_WRITABLE/);
  });
});
