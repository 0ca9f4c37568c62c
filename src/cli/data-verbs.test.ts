/** `lectern inspect` and `lectern score` as they are typed: what they print, write and refuse. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { describeFailure } from "./failure.js";
import { registerInspect } from "./inspect.js";
import { createProgram } from "./program.js";
import { registerScore } from "./score.js";

let folder: string;
let printed: string;
let noted: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "lectern-verbs-"))));
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  printed = noted = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((printed += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((noted += String(text)), true));
});
afterEach(() => vi.restoreAllMocks());

const run = (...words: string[]) => createProgram([registerScore, registerInspect]).parseAsync(words, { from: "user" });
async function write(name: string, value: unknown): Promise<string> {
  await writeFile(path.join(folder, name), JSON.stringify(value));
  return path.join(folder, name);
}

const squad = (version: string, ...qas: unknown[]) => ({
  version,
  data: [{ title: "Rome", paragraphs: [{ context: "Rome is an old city in Italy.", qas }] }],
});
const answerable = (id: string, text = "Rome", start = 0) => ({ id, question: "Which city?", answers: [{ text, answer_start: start }] });
const impossible = (id: string) => ({ id, question: "Which river?", answers: [], is_impossible: true });

describe("lectern score", () => {
  it("prints the metrics of SQuAD 1.1 under their official names", async () => {
    const data = await write("v1.json", squad("1.1", answerable("a"), answerable("b", "old city", 11)));
    const predictions = await write("p1.json", { a: "the Rome!", extra: "x" });
    await run("score", data, predictions);
    expect(JSON.parse(printed)).toEqual({ exact_match: 50, f1: 50 });
    expect(noted).toMatch(/1 predictions are for no question[^]*1 of 2 questions have no prediction and score 0/);
  });

  it("prints those of SQuAD 2.0, with thresholds where no-answer scores are given", async () => {
    const data = await write("v2.json", squad("v2.0", answerable("a"), impossible("b")));
    const predictions = await write("p2.json", { a: "Rome", b: "Tiber" });
    const scores = await write("na.json", { a: -3, b: 2 });
    await run("score", data, predictions, "--json");
    expect(printed.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(printed)).toMatchObject({ exact: 50, f1: 50, total: 2, HasAns_exact: 100, NoAns_exact: 0 });
    printed = "";
    await run("score", data, predictions, "--na-prob", scores, "--threshold", "0");
    expect(JSON.parse(printed)).toMatchObject({ exact: 100, NoAns_f1: 100, best_exact: 100, best_exact_thresh: -3 });
    printed = "";
    await run("score", await write("v1.json", squad("1.1", answerable("a"))), predictions, "--metrics", "2.0");
    expect(JSON.parse(printed)).toEqual({ exact: 100, f1: 100, total: 1, HasAns_exact: 100, HasAns_f1: 100, HasAns_total: 1 });
  });

  it("refuses what cannot be scored, with what to do", async () => {
    const data = await write("v2.json", squad("v2.0", answerable("a"), impossible("b")));
    const told = async (...words: string[]) => describeFailure(await run("score", ...words).catch((error: unknown) => error), false);
    expect((await told(data, await write("p.json", { a: "x" }))).text).toMatch(
      /PREDICTIONS_MISSING[^]*1 of 2 questions have no prediction: b/,
    );
    expect((await told(data, await write("p.json", ["x"]))).text).toMatch(/PREDICTIONS_CORRUPT/);
    expect((await told(data, path.join(folder, "none.json"))).text).toMatch(/FILE_MISSING/);
    expect(await told(data, data, "--threshold", "low")).toMatchObject({
      exitCode: 1,
      text: expect.stringMatching(/It must be a number/) as string,
    });
  });

  it("counts repeated ids as the official scripts do", async () => {
    const data = await write("twice.json", squad("1.1", answerable("1", "Rome", 0), answerable("1", "old", 8)));
    const predictions = await write("twice.pred.json", { 1: "Rome" });
    await run("score", data, predictions);
    expect(JSON.parse(printed)).toEqual({ exact_match: 50, f1: 50 });
    printed = "";
    expect(noted).toMatch(/1 of 2 questions have the id of an earlier one; as in the official script, every question counts/);
    await run("score", data, predictions, "--metrics", "2.0", "--json");
    expect(JSON.parse(printed)).toMatchObject({ exact: 0, total: 1, HasAns_total: 1 });
  });

  it("takes an empty answer for none, and the mark for more than answers", async () => {
    const marked = { ...answerable("b", "Rome", 0), is_impossible: true };
    const data = await write("none.json", squad("1.1", answerable("a", "", 0), marked, answerable("c", "Rome", 0)));
    await run("score", data, await write("none.pred.json", { a: "", b: "", c: "Rome" }), "--json");
    expect(JSON.parse(printed)).toMatchObject({ exact: 100, total: 3, HasAns_total: 1, NoAns_total: 2 });
  });

  it("compares with the text of the file, where the context writes it otherwise", async () => {
    const data = await write("written.json", squad("1.1", answerable("a", "“Rome”", 0)));
    await run("score", data, await write("written.pred.json", { a: "“Rome”" }), "--json");
    expect(JSON.parse(printed)).toEqual({ exact_match: 100, f1: 100 });
  });
});

describe("lectern inspect", () => {
  it("counts, measures and draws", async () => {
    const out = path.join(folder, "charts");
    await run("inspect", "starter/squad/dev.json", "--model", "starter/minilm-l6", "--out", out, "--json");
    const inspection = JSON.parse(printed) as Record<string, unknown>;
    expect(inspection).toMatchObject({
      data: { examples: 1190, contexts: 240, impossible: 0, repaired: 0, lost: 0, badRows: 0, findings: [] },
      maxLength: 384,
      stride: 128,
      windows: { windows: 1219, answersCutOff: 0, perExample: { max: 3 } },
      lengths: { question: { count: 1190 }, answer: { count: 1190 }, pair: { count: 1190 } },
    });
    expect(inspection["histograms"]).toEqual(["question", "context", "answer"].map((what) => path.join(out, `${what}-lengths.svg`)));
    for (const file of inspection["histograms"] as string[]) expect(await readFile(file, "utf8")).toMatch(/^<svg [^]*1190 samples/);
  });

  it("says what is wrong with the data in words", async () => {
    const data = await write(
      "bad.json",
      squad("v2.0", answerable("a", "Rome", 3), answerable("b", "Milan", 0), impossible("c"), impossible("c")),
    );
    await run("inspect", data, "--model", "starter/minilm-l6", "--out", folder, "--max-length", "32", "--stride", "8");
    expect(printed).toMatch(/examples +4\n/);
    expect(printed).toMatch(/without answer +2 \(50\.0%\)/);
    expect(printed).toMatch(/repaired answers +1\nlost answers +1\nrepeated ids +1\n/);
    expect(printed).toMatch(/question and context over 32 tokens +0\.0%/);
    expect(printed).toMatch(/1 answer found elsewhere[^]*qas\[0\] \(a\), stated "Rome" at 3, found "Rome" at 0\n[^]*1 answer not found[^]*qas\[1\] \(b\), stated "Milan" at 0\n/);
    expect(printed).toMatch(/1 question with an id that an earlier one has[^]*qas\[3\] \(c\), now bad\/c\n/);
    const findings = (await readFile(path.join(folder, "findings.jsonl"), "utf8")).trimEnd().split("\n");
    expect(findings.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual(["moved", "lost", "repeated id"]);
  });

  it("writes what was found in a file none of whose rows can be read", async () => {
    const out = path.join(folder, "unreadable");
    const data = await write("unreadable.json", [{ question: "Which city?" }, { context: "Rome." }]);
    const told = describeFailure(await run("inspect", data, "--model", "starter/minilm-l6", "--out", out).catch((error: unknown) => error), false);
    expect(told.exitCode).toBe(1);
    expect(told.text).toMatch(/None of the 2 rows[^]*What was found in all rows is in [^\n]*findings\.jsonl/);
    const lines = (await readFile(path.join(out, "findings.jsonl"), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { place: string }).place)).toEqual(["[0]", "[1]"]);
  });
});
