/** Mistakes at the command line, one process or call each: a message that says what to do, exit code 1, no stack, nothing left waiting. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compiledSources } from "../../test/compiled-sources.js";
import { startOwn } from "../../test/process.js";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { LecternError } from "../errors.js";
import { describeFailure } from "./failure.js";

let folder: string;
const file = (name: string, content: string | Uint8Array): void => writeFileSync(join(folder, name), content);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bad-input-"));
  await writeTinyReader(join(folder, "model"));
  mkdirSync(join(folder, "folder"));
  file("binary", Buffer.from([0xff, 0xfe, 0, 1, 2, 3, 0xc0]));
  file("empty", "");
  file("sheet.xlsx", Buffer.from("PK\x03\x04 [Content_Types].xml", "latin1"));
  file("utf16.yaml", Buffer.from("\uFEFFmodel: a", "utf16le"));
  file("bom.yaml", `\uFEFFmodel: model\ntrain_files: ${join(starter, "squad/train.json")}\nlearning_rat: 1\n`);
  file("deep.yaml", `model: ${"[".repeat(20_000)}${"]".repeat(20_000)}`);
  file("recipe.yaml", `model: model\ntrain_files: ${join(starter, "squad/train.json")}\nmax_train_samples: 4\nmax_length: 96\nstride: 32\n`);
  file("deep.json", "[".repeat(200_000) + "]".repeat(200_000));
  file("deep-value.json", `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`);
  file("huge-line.jsonl", `{"id":"1","question":"Q?","context":"${"word ".repeat(400_000)}","answers":[]`);
  if (process.platform !== "win32") spawnSync("mkfifo", [join(folder, "pipe")]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const dev = join(starter, "squad/dev.json");
const lectern = (...words: string[]) => startOwn("src/cli/main.ts", words, { cwd: folder });

describe.concurrent("a mistake is told in a few lines, with exit code 1", () => {
  const cases: [words: string[], told: RegExp][] = [
    [["train", "pipe"], /FILE_NOT_READABLE[^]*a pipe/],
    [["train", "folder"], /FILE_NOT_READABLE[^]*a folder/],
    [["train", "utf16.yaml"], /UTF-16 text[^]*Save the file as UTF-8/],
    [["train", "bom.yaml"], /bom\.yaml:3: learning_rat is not a key[^]*learning_rate/],
    [["train", "deep.yaml"], /RECIPE_SYNTAX/],
    [["train", "model/model.safetensors"], /error (FILE_|RECIPE_)/],
    [["train", "recipe.yaml", "threads=100000"], /threads has a wrong value/],
    [["train", "recipe.yaml", "output_dir=empty/run"], /FILE_NOT_WRITABLE/],
    [["train", "recipe.yaml", "train_files=pipe"], /a pipe/],
    [["train", "recipe.yaml", "model=model/config.json"], /MODEL_FOLDER_INCOMPLETE[^]*not a folder/],
    [["train", "recipe.yaml", "__proto__=1"], /__proto__ is not a key/],
    [["evaluate", "--model", "empty", "--data", dev], /empty is not a folder/],
    [["evaluate", "--model", "model", "--data", "sheet.xlsx"], /an Excel workbook[^]*CSV UTF-8/],
    [["evaluate", "--model", "model", "--data", "binary"], /DATA_SYNTAX/],
    [["evaluate", "--model", "model", "--data", "huge-line.jsonl"], /DATA_SYNTAX: huge-line\.jsonl: line 1/],
    [["evaluate", "--model", "model", "--data", dev, "--threads", "5000"], /at most 1024/],
    [["evaluate", "--model", "model", "--data", dev, "--out", "empty"], /FILE_NOT_WRITABLE/],
    [["inspect", "deep.json", "--model", "model"], /DATA_FIELD/],
    [["inspect", "folder", "--model", "model"], /folder is not a plain file/],
    [["score", dev, "pipe"], /a pipe/],
    [["score", dev, "deep-value.json"], /PREDICTIONS_CORRUPT[^]*a list of 1/],
    [["convert", "--model", "model", "--to", "empty/x", "--dtype", "F16"], /FILE_NOT_WRITABLE/],
    [["parity", "model", "--check"], /inputs\.json/],
    [["doctor", "--memory", "empty"], /RECIPE_VALUE/],
    [["pull", "../../etc"], /HUB_NAME/],
    [["push", "empty", "org/name"], /MODEL_FOLDER_INCOMPLETE/],
  ];
  for (const [words, told] of cases) {
    const usesPipe = words.some((word) => /\bpipe$/.test(word));
    test.skipIf(usesPipe && process.platform === "win32")(`lectern ${words.map((word) => word.replace(starter, "")).join(" ")}`, async () => {
      const { code, stdout, stderr } = await lectern(...words).ended;
      expect(stderr).toMatch(told);
      expect(stderr).not.toMatch(/\n {4}at |mistake in Lectern/);
      expect([code, stdout]).toEqual([1, ""]);
    });
  }
});

test("a closed standard output ends the process without a word", async () => {
  const running = lectern("train", "--help");
  running.process.stdout.destroy();
  const { code, stderr } = await running.ended;
  expect([code, stderr]).toEqual([0, ""]);
});

test.skipIf(!existsSync("/dev/full"))("an output that is full is told as that; notes that nobody can read hinder nothing", () => {
  const run = (redirection: string) => {
    const program = [process.execPath, join(compiledSources(), "src/cli/main.js"), "score", dev, "predictions.json"];
    const child = spawnSync("bash", ["-c", `"$@" ${redirection}`, "-", ...program], { cwd: folder, encoding: "utf8" });
    return [child.status, child.stdout, child.stderr] as const;
  };
  file("predictions.json", '{"a": "b"}');
  const [full, , told] = run(">/dev/full");
  expect([full, told]).toEqual([1, expect.stringMatching(/DISK_FULL: No room to write the standard output/)]);
  const [deaf, printed] = run("2>/dev/full");
  expect([deaf, printed]).toEqual([0, expect.stringMatching(/"exact_match": 0/)]);
});

test.skipIf(process.platform === "win32")("Ctrl-C while it starts ends it at once", async () => {
  const running = lectern("evaluate", "--model", "model", "--data", dev);
  setTimeout(() => running.process.kill("SIGINT"), 150);
  const { code, signal, stderr } = await running.ended;
  expect(signal === "SIGINT" || code === 130).toBe(true);
  expect(stderr).not.toMatch(/\n {4}at /);
});

test("what a file holds does not steer the terminal", () => {
  const error = new LecternError("DATA_FIELD", { message: "\u001b[2Jgone\u0007", received: "\u009b31m\r\nnext" });
  expect(describeFailure(error, false).text).toBe("error DATA_FIELD: \\u001b[2Jgone\\u0007\n  received: \\u009b31m\\u000d\nnext\n");
});

test("a file that is not there is told as that, wherever it is missed", () => {
  const missing = Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT", path: "x.json", syscall: "open" });
  expect(describeFailure(missing, false)).toMatchObject({ exitCode: 1, text: expect.stringMatching(/^error FILE_MISSING: There is no x\.json/) as string });
});
