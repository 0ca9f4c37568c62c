/** A report's files hold what was computed: CSV and parquet alike, all or none, and nothing that an earlier report left. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reportInput } from "../../../test/report-input.js";
import { type DataIdentity, dataIdentity } from "../../data/data-identity.js";
import { evaluateSquad1, evaluateSquad2 } from "../squad.js";
import { buildReport } from "./report-data.js";
import { writeReport } from "./write-report.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "lectern-report-"))));
afterAll(() => rm(folder, { recursive: true }));

const parquet = async (...names: string[]) => parquetReadObjects({ file: await asyncBufferFromFile(path.join(folder, ...names)) });

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows[rows.length - 1].push(quoted?.replaceAll('""', '"') ?? bare);
    if (end === "\n") rows.push([]);
  }
  return rows.filter((row) => row.length > 1);
}
const csv = async (...names: string[]) => parseCsv(await readFile(path.join(folder, ...names), "utf8"));

describe("a report's numbers", () => {
  test.each(["1.1", "2.0"] as const)("of single questions have the official metrics as their means (SQuAD %s)", (version) => {
    const input = reportInput(version);
    const { results } = buildReport(input);
    const mean = (metric: "exact" | "f1") => (100 * results.reduce((sum, result) => sum + result[metric], 0)) / results.length;
    const { predictions, nullOdds } = input.model.answers;
    const official =
      version === "1.1"
        ? { exact: evaluateSquad1(input.examples, predictions).exact_match, f1: evaluateSquad1(input.examples, predictions).f1 }
        : evaluateSquad2(input.examples, predictions, { noAnswerScores: nullOdds, threshold: Infinity });
    expect([mean("exact"), mean("f1")]).toEqual([expect.closeTo(official.exact, 10), expect.closeTo(official.f1, 10)]);
  });

  test("count every question once", () => {
    const { results, outcomes, breakdowns, calibration, orders, comparison } = buildReport(reportInput("2.0"));
    const total = (counts: { count: number }[]) => counts.reduce((sum, { count }) => sum + count, 0);
    for (const counts of [outcomes, calibration.bins, ...breakdowns.map(({ groups }) => groups)]) expect(total(counts)).toBe(results.length);
    for (const order of Object.values(orders)) expect(order.toSorted((a, b) => a - b)).toEqual(results.map((_, i) => i));
    expect(orders.worst.map((index) => results[index].f1)).toEqual(results.map(({ f1 }) => f1).sort((a, b) => a - b));
    expect(orders.best!.map((index) => results[index].f1)).toEqual(results.map(({ f1 }) => f1).sort((a, b) => b - a));
    expect(orders.score_high!.map((index) => results[index].probability)).toEqual(results.map(({ probability }) => probability).sort((a, b) => b - a));
    expect(orders.score_low!.map((index) => results[index].probability)).toEqual(results.map(({ probability }) => probability).sort((a, b) => a - b));
    expect(comparison!.higher + comparison!.equal + comparison!.lower).toBe(results.length);
    expect(comparison!.higher).toBeGreaterThan(0);
  });

  test("of an answer left out are those of having none: what is left of 1", () => {
    const { results } = buildReport(reportInput("2.0"));
    for (const { prediction, probability, example } of results) {
      const best = reportInput("2.0").model.answers.nBest.get(example.id)![0].probability;
      expect(probability).toBeCloseTo(prediction === "" ? 1 - best : best, 12);
    }
  });

  test("of the precision-recall curve do not depend on the threshold that was used", () => {
    const input = reportInput("2.0");
    const never = { ...input, nullThreshold: 1e9, model: { ...input.model, answers: { ...input.model.answers, predictions: new Map([...input.model.answers.nBest].map(([id, [{ text }]]) => [id, text])) } } };
    expect(buildReport(input).precisionRecall).toEqual(buildReport(never).precisionRecall);
    expect(buildReport(reportInput("1.1")).precisionRecall).toBeUndefined();
  });
});

describe("figures from before training", () => {
  const input = reportInput("1.1");
  const before = (data?: DataIdentity) => buildReport({ ...input, before: { source: "a run", metrics: { f1: 2 }, ...(data && { data }) } }).before;

  test("are set against these only where they are of the same questions", async () => {
    expect(before(dataIdentity(input.examples, ["dev.json"]))).toMatchObject({ isComparable: true });
    expect(before(dataIdentity(input.examples.slice(1), ["dev.json"]))).toMatchObject({ isComparable: false, measuredOn: "39 questions of dev.json" });
    expect(before()).toMatchObject({ isComparable: false, measuredOn: "questions that the folder does not tell" });
    const page = async (data?: DataIdentity) =>
      readFile((await writeReport(path.join(folder, "before"), { ...input, before: { source: "a run", metrics: { f1: 2 }, ...(data && { data }) } })).page, "utf8");
    expect(await page(dataIdentity(input.examples))).toMatch(/since before training/);
    const other = await page(dataIdentity(input.examples.slice(1), ["dev.json"]));
    expect(other).not.toMatch(/since before training/);
    expect(other).toMatch(/measured on 39 questions of dev\.json; these are 40 others, so no change is given/);
  });
});

describe("a report's files", () => {
  test("are a page, and each table as CSV and parquet", async () => {
    const { page, files } = await writeReport(path.join(folder, "all"), reportInput("2.0"));
    expect(page).toBe(path.join(folder, "all", "report.html"));
    const tables = ["breakdowns", "calibration", "comparison", "examples", "metrics", "outcomes", "precision_recall", "summary"];
    const expected = ["report.html", ...tables.flatMap((name) => [`${name}.csv`, `${name}.parquet`])].sort();
    expect(files.toSorted()).toEqual(expected);
    expect((await readdir(path.join(folder, "all"))).sort()).toEqual(expected);
    expect(await readFile(page, "utf8")).toMatch(/^<!doctype html>/);
  });

  test("hold every question with its texts: parquet as they are, CSV with formulas made harmless", async () => {
    const input = reportInput("2.0");
    await writeReport(path.join(folder, "all"), input);
    const rows = await parquet("all", "examples.parquet");
    const [head, ...lines] = await csv("all", "examples.csv");
    expect(rows).toHaveLength(input.examples.length);
    expect(lines).toHaveLength(input.examples.length);
    expect(head).toEqual(Object.keys(rows[0]));
    const byId = new Map(input.examples.map((example) => [example.id, example]));
    for (const [i, row] of rows.entries()) {
      const example = byId.get(String(row.id))!;
      expect(row.context).toBe(Buffer.from(example.context).toString());
      expect(JSON.parse(String(row.gold_answers))).toEqual(example.answers.map(({ text }) => text));
      expect(row.prediction).toBe(input.model.answers.predictions.get(example.id));
      for (const [column, name] of head.entries()) {
        const value = row[name];
        const text = value === null ? "" : String(value as string | number);
        expect(lines[i][column], name).toBe(typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
      }
    }
    expect(rows.map(({ f1 }) => f1)).toEqual(rows.map(({ f1 }) => Number(f1)).sort((a, b) => a - b));
  });

  test("hold the same metrics, before, after and of the other model", async () => {
    const input = reportInput("1.1");
    await writeReport(path.join(folder, "metrics"), input);
    expect(await parquet("metrics", "metrics.parquet")).toEqual(
      ["loss", "exact", "f1"].map((metric) => ({
        metric,
        before: input.before!.metrics[metric],
        value: input.model.metrics[metric],
        compared: input.compare!.metrics[metric],
      })),
    );
  });

  test("of a smaller report take away what a larger one left, and nothing else", async () => {
    const at = path.join(folder, "again");
    await writeReport(at, reportInput("2.0"));
    await writeFile(path.join(at, "notes.csv"), "mine");
    const { files } = await writeReport(at, { ...reportInput("1.1"), compare: undefined });
    expect((await readdir(at)).sort()).toEqual([...files, "notes.csv"].sort());
  });

  test("are not written into what is no folder", async () => {
    await writeFile(path.join(folder, "file"), "");
    await expect(writeReport(path.join(folder, "file", "inside"), reportInput("1.1"))).rejects.toMatchObject({ code: "FILE_NOT_WRITABLE" });
  });
});
