/** `lectern predict`: whole, killed at any moment and carried on, and asked for something else. */
import { existsSync, readFileSync, truncateSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, type RunningProcess, startOwn } from "../../test/process.js";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { runVerb } from "../../test/verbs.js";
import { loadExamples } from "../data/examples.js";
import { registerEvaluate } from "./evaluate.js";
import { registerPredict } from "./predict.js";

const questions = 300; // three groups
let folder: string;
let whole: Ended;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-predict-"));
  await writeTinyReader(join(folder, "tiny"));
  const { examples } = await loadExamples(join(starter, "squad/dev.json"), { limit: questions });
  const rows = examples.map(({ id, question, context }) => ({ id, question, context: context.slice(0, 300) })); // no answers given
  await writeFile(join(folder, "questions.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  whole = await start("whole").ended;
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

const words = (out: string, ...more: string[]) => ["predict", "--model", "tiny", "--data", "questions.jsonl", "--out", out, "--max-length", "64", "--stride", "16", "--threads", "2", ...more]; // prettier-ignore
const start = (out: string, ...more: string[]): RunningProcess => startOwn("src/cli/main.ts", words(out, ...more), { cwd: folder });
const journalOf = (out: string) => join(folder, out, "predictions.journal.jsonl");
const files = ["nbest_predictions.json", "null_odds.json", "predictions.json"];

async function expectSameAsWhole(out: string): Promise<void> {
  expect((await readdir(join(folder, out))).sort()).toEqual([...files, "predictions.record.json"]);
  for (const file of files)
    expect((await readFile(join(folder, out, file))).equals(await readFile(join(folder, "whole", file))), file).toBe(true);
}

test("answers every question, those without given answers too, in SQuAD's formats", async () => {
  expect([whole.code, whole.stderr]).toEqual([0, ""]);
  expect(whole.stdout).toBe("300 questions answered; predictions.json, null_odds.json, nbest_predictions.json are in whole\n");
  const predictions = JSON.parse(await readFile(join(folder, "whole/predictions.json"), "utf8")) as Record<string, string>;
  expect(Object.keys(predictions)).toHaveLength(questions);
  expect(Object.values(predictions).filter((text) => text !== "").length).toBe(questions);
});

test("answers as lectern evaluate does", async () => {
  const settings = [
    "--model",
    join(folder, "tiny"),
    "--data",
    join(starter, "squad/dev.json"),
    "--max-samples",
    "30",
    "--max-length",
    "96",
    "--stride",
    "32",
  ];
  await runVerb(registerEvaluate, "evaluate", ...settings, "--out", join(folder, "evaluated"));
  await runVerb(registerPredict, "predict", ...settings, "--out", join(folder, "predicted"));
  for (const file of files)
    expect(readFileSync(join(folder, "predicted", file), "utf8")).toBe(readFileSync(join(folder, "evaluated", file), "utf8"));
});

test("answers as transformers' pipeline where that is asked for, as lectern evaluate does", async () => {
  const settings = ["--model", join(folder, "tiny"), "--data", join(starter, "squad/dev.json"), "--max-samples", "8", "--max-length", "96", "--stride", "32"];
  const asked = ["--decoding", "pipeline", "--align-to-words", "false"];
  await runVerb(registerEvaluate, "evaluate", ...settings, ...asked, "--out", join(folder, "evaluated as the pipeline"));
  await runVerb(registerPredict, "predict", ...settings, ...asked, "--out", join(folder, "predicted as the pipeline"));
  for (const file of files)
    expect(readFileSync(join(folder, "predicted as the pipeline", file), "utf8")).toBe(readFileSync(join(folder, "evaluated as the pipeline", file), "utf8"));
  const widened = await runVerb(registerPredict, "predict", ...settings, "--decoding", "pipeline", "--out", join(folder, "predicted as the pipeline"));
  expect(widened.stderr).toMatch(/PREDICTIONS_IN_USE[^]*received: alignToWords: false before, auto now\n/);
  const { exitCode, stderr } = await runVerb(registerPredict, "predict", ...settings, "--align-to-words", "true", "--out", join(folder, "refused"));
  expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/^error USAGE: --align-to-words is for the pipeline's answers[^]*Add --decoding pipeline/)]);
});

test("tells how many questions were cut, in JSON too", async () => {
  const rows = ["Who?", "Who wrote ".repeat(40)].map((question, id) => ({ id, question, context: "Ada wrote it." }));
  await writeFile(join(folder, "long.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  const settings = ["--model", join(folder, "tiny"), "--data", join(folder, "long.jsonl"), "--max-length", "64", "--stride", "16", "--out", join(folder, "long")];
  expect((await runVerb(registerPredict, "predict", ...settings)).stderr).toBe("1 of 2 questions are longer than half of a window (32 tokens), and were read up to there.\n");
  const { stdout } = await runVerb(registerPredict, "predict", ...settings, "--restart", "--json");
  expect(JSON.parse(stdout)).toEqual({ questions: 2, carriedOver: 0, questionsCut: 1, out: join(folder, "long") });
});

describe("of questions without answer", () => {
  const row = (id: string, more: object) => ({ id, question: "Who wrote it?", context: "Ada wrote it in London.", ...more });
  const answered = row("answered", { answers: [{ text: "Ada", answer_start: 0 }] });
  /** With a threshold that no odds reach, so that answers are empty wherever they may be. */
  const predictionsOf = async (name: string, data: unknown[] | object, ...more: string[]) => {
    const isList = Array.isArray(data);
    const file = join(folder, `${name}.json${isList ? "l" : ""}`);
    await writeFile(file, isList ? data.map((each) => JSON.stringify(each)).join("\n") : JSON.stringify(data));
    const settings = ["--model", join(folder, "tiny"), "--data", file, "--max-length", "64", "--stride", "16", "--null-score-diff-threshold", "-1000"];
    const { exitCode, stderr } = await runVerb(registerPredict, "predict", ...settings, ...more, "--out", join(folder, name));
    expect(exitCode, stderr).toBe(0);
    const predictions = JSON.parse(await readFile(join(folder, name, "predictions.json"), "utf8")) as Record<string, string>;
    return { empty: Object.values(predictions).every((text) => text === ""), stderr };
  };
  const told = (questions: string) => `${questions} have no answer, as the data says: answers are empty where the null odds are above -1000 (--null-score-diff-threshold).\n`;
  const squad = (version: string) => ({ version, data: [{ title: "", paragraphs: [{ context: answered.context, qas: [{ id: "a", question: "Who?" }] }] }] });

  test.each<[string, unknown[] | object, string]>([
    ["a flag", [row("flagged", { is_impossible: true }), row("bare", {})], told("1 of 2 questions")],
    ["an empty list beside answers", [answered, row("none", { answers: [] })], told("1 of 2 questions")],
    ["an empty answer beside answers", [answered, row("none", { answers: { text: [""], answer_start: [0] } })], told("1 of 2 questions")],
    ["the version", squad("v2.0"), "The data is of SQuAD 2.0, as its version says: answers are empty where the null odds are above -1000 (--null-score-diff-threshold).\n"],
  ])("data that says so by %s may be answered with nothing, and is told as that", async (name, data, message) => {
    const { empty, stderr } = await predictionsOf(name, data);
    expect(empty).toBe(true);
    expect(stderr).toContain(message);
  });

  test.each<[string, unknown[] | object]>([
    ["says nothing of answers", [row("bare", {}), row("another", {})]],
    ["has an empty list for every question", [row("bare", { answers: [] }), row("another", { answers: [], is_impossible: false })]],
    ["has all answers", [answered]],
    ["says nothing of a question beside others", [answered, row("bare", {})]],
    ["is of version 1.1", squad("1.1")],
  ])("data that %s is answered always", async (name, data) => {
    expect(await predictionsOf(name, data)).toEqual({ empty: false, stderr: "" });
  });

  test("any data may be answered with nothing where that is asked for", async () => {
    expect(await predictionsOf("asked for", [answered], "--version-2-with-negative")).toEqual({ empty: true, stderr: "" });
  });
});

describe("killed and run again, its files are byte for byte those of a run that was not", () => {
  test("by kill -9, once a group is done and at other moments", async () => {
    const running = start("killed");
    await grown(journalOf("killed"), 1);
    running.process.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
    expect(existsSync(join(folder, "killed/predictions.json"))).toBe(false);
    for (const delay of [250, 400, 550]) {
      const next = start("killed");
      const timer = setTimeout(() => next.process.kill("SIGKILL"), delay);
      await next.ended;
      clearTimeout(timer);
    }
    const last = await start("killed").ended;
    expect(last.code).toBe(0);
    await expectSameAsWhole("killed");
  });

  test("with its last line cut off anywhere", async () => {
    const running = start("cut");
    await grown(journalOf("cut"), 2);
    running.process.kill("SIGKILL");
    await running.ended;
    const lines = readFileSync(journalOf("cut"), "utf8").split("\n");
    const first = Buffer.byteLength(lines[0]) + 1;
    const second = first + Buffer.byteLength(lines[1]) + 1;
    for (const [length, groups] of [
      [first, 0],
      [first + 1, 0],
      [second - 1, 0],
      [second, 1],
      [second + 40, 1],
    ]) {
      await rm(join(folder, "again"), { recursive: true, force: true });
      await cp(join(folder, "cut"), join(folder, "again"), { recursive: true });
      truncateSync(journalOf("again"), length);
      const { exitCode, stdout, stderr } = await inFolder("again", "--json");
      expect([exitCode, stderr]).toEqual([0, ""]);
      expect(JSON.parse(stdout)).toEqual({ questions, carriedOver: groups * 128, questionsCut: 0, out: join(folder, "again") });
      await expectSameAsWhole("again");
    }
  });

  test("between the two steps in which the files take their places", async () => {
    await cp(join(folder, "whole"), join(folder, "committed/.lectern-commit"), { recursive: true });
    await writeFile(
      journalOf("committed"),
      `${readFileSync(join(folder, "whole/predictions.record.json"), "utf8").replaceAll("\n", "")}\n`,
    );
    await writeFile(join(folder, "committed/.lectern-commit/predictions.journal.jsonl.obsolete"), "");
    const { exitCode, stdout } = await inFolder("committed", "--json");
    expect([exitCode, (JSON.parse(stdout) as { carriedOver: number }).carriedOver]).toEqual([0, questions]);
    await expectSameAsWhole("committed");
  });
});

test("tells that it carries on, and that all is done", async () => {
  const running = start("told");
  await grown(journalOf("told"), 1);
  running.process.kill("SIGKILL");
  await running.ended;
  expect((await inFolder("told")).stderr).toMatch(/^carrying on after (128|256) of 300 questions\n$/);
  const before = await readFile(join(folder, "told/predictions.json"));
  const again = await inFolder("told");
  expect(again.stdout).toMatch(/^300 questions answered before;/);
  expect(await readFile(join(folder, "told/predictions.json"))).toEqual(before);
});

/** In this process, which is quicker. */
const inFolder = (out: string, ...more: string[]) => {
  const paths = words(out, ...more).map((word, index, all) =>
    ["--model", "--data", "--out"].includes(all[index - 1]) ? join(folder, word) : word,
  );
  return runVerb(registerPredict, ...paths);
};

/** Resolves once the journal has so many groups. */
async function grown(journal: string, groups: number): Promise<void> {
  for (;;) {
    if (existsSync(journal) && readFileSync(journal, "utf8").split("\n").length > groups + 1) return;
    await pause(5);
  }
}

describe("a folder that holds other predictions is left as it is", () => {
  beforeAll(async () => {
    await writeTinyReader(join(folder, "other"), { seed: 2 });
    const lines = readFileSync(join(folder, "questions.jsonl"), "utf8").split("\n");
    await writeFile(join(folder, "other.jsonl"), lines.slice(1).join("\n"));
  });

  test.each<[string, string[], RegExp]>([
    ["of another model", ["--model", "other"], /received: model: another before, this one now\n/],
    ["of other data", [], /received: data: another before, this one now\n/],
    ["with other options", ["--max-answer-length", "5"], /received: maxAnswerLength: 30 before, 5 now\n/],
    ["for SQuAD 2.0", ["--version-2-with-negative"], /received: nullThreshold: none before, 0 now\n/],
  ])("%s", async (_, more, received) => {
    const asked = words("whole", ...more).map((word) => (more.length === 0 && word === "questions.jsonl" ? "other.jsonl" : word));
    const { code, stderr } = await startOwn("src/cli/main.ts", asked, { cwd: folder }).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error PREDICTIONS_IN_USE: whole already holds predictions/);
    expect(stderr).toMatch(received);
    expect(stderr).toContain("--restart");
    expect((await readdir(join(folder, "whole"))).sort()).toEqual([...files, "predictions.record.json"]);
  });

  test("half done, too, until told to start over", async () => {
    const running = start("half");
    await grown(journalOf("half"), 1);
    running.process.kill("SIGKILL");
    await running.ended;
    expect((await inFolder("half", "--n-best", "3")).stderr).toMatch(/received: nBest: 20 before, 3 now/);
    expect((await inFolder("half", "--n-best", "3", "--restart", "--json")).stdout).toContain('"carriedOver":0');
    expect((await inFolder("half", "--restart")).exitCode).toBe(0);
    await expectSameAsWhole("half");
  });

  test("written by something else", async () => {
    await mkdir(join(folder, "foreign"));
    await writeFile(join(folder, "foreign/predictions.json"), "{}");
    const { exitCode, stderr } = await inFolder("foreign");
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/PREDICTIONS_IN_USE[^]*predictions\.json, written by something else/)]);
    expect(await readFile(join(folder, "foreign/predictions.json"), "utf8")).toBe("{}");
  });
});
