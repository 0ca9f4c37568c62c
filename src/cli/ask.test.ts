/** `lectern ask` as processes: what a person and a program get, and what a mistake looks like. */
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startOwn, type Ended } from "../../test/process.js";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import type { Answer } from "../tasks/extractive/answer-spans.js";

const context = "\ufeffThe book 😀 was\r\nwritten  by Ada Lovelace,\tin 1843. ".repeat(20);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-ask-"));
  await writeTinyReader(join(folder, "tiny"));
  await writeFile(join(folder, "book.txt"), context);
  await mkdir(join(folder, "a folder"));
});
afterAll(() => rm(folder, { recursive: true }));

async function ask(words: string[], input?: string | Buffer): Promise<Ended> {
  const running = startOwn("src/cli/main.ts", ["ask", ...words], { cwd: folder });
  running.process.stdin.on("error", () => undefined).end(input); // it may have ended before it read all
  return running.ended;
}
const book = ["--model", "tiny", "--context", "book.txt"];

function expectInPlace(answers: readonly Answer[]): void {
  for (const { answer, start, end } of answers) expect(context.slice(start, end)).toBe(answer);
}

describe("lectern ask", () => {
  test("prints the answer with its score and place, marked in its context", async () => {
    const { code, stdout, stderr } = await ask([...book, "Who wrote it?"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Q: Who wrote it\?\nA: \S.* \(score \d\.\d\d, characters \d+ to \d+\)\n {2}[^]*book/);
  });

  test("prints several answers to several questions", async () => {
    const { code, stdout } = await ask([...book, "--top-k", "3", "Who?", "When?"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Q: Who\?\nA: [^]*\n2\. .*\n3\. .*\n\nQ: When\?\nA: [^]*\n3\. [^\n]*\n$/);
  });

  test("with --json prints answers whose places are those of the file, read from it or from standard input", async () => {
    const fromFile = await ask([...book, "--json", "Who?", "When?"]);
    const fromInput = await ask(["--model", "tiny", "--context", "-", "--json", "Who?", "When?"], context);
    expect([fromFile.code, fromFile.stderr]).toEqual([0, ""]);
    expect(fromInput).toEqual(fromFile);
    const answers = JSON.parse(fromFile.stdout) as Answer[];
    expect(answers).toHaveLength(2);
    expect(Object.keys(answers[0])).toEqual(["score", "start", "end", "answer"]);
    expectInPlace(answers);
    const one = JSON.parse((await ask([...book, "--json", "Who?"])).stdout) as Answer;
    expect(one.answer).toBe(answers[0].answer);
  });

  test("takes the options under the names they have everywhere", async () => {
    const options = ["--top-k", "4", "--doc-stride", "8", "--max-answer-len", "2", "--max-seq-len", "40", "--max-question-len", "3"];
    const { code, stdout } = await ask([...book, ...options, "--handle-impossible-answer", "--threads", "1", "--json", "Who wrote it?"]);
    expect(code).toBe(0);
    const answers = JSON.parse(stdout) as Answer[];
    expect(answers).toHaveLength(4);
    expectInPlace(answers);
    expect(new Set(answers.map(({ answer }) => answer.toLowerCase())).size).toBe(4);
  });

  test("tells of a question that was cut, in JSON too", async () => {
    const words = [...book, "--max-question-length", "3", "Who?", "Who wrote it in which year?"];
    expect((await ask(words)).stderr).toBe('The question "Who wrote it in which year?" is long: its first 3 tokens were read (--max-question-length).\n');
    const { stdout, stderr } = await ask([...words, "--json"]);
    expect(stderr).toBe("");
    expect((JSON.parse(stdout) as Answer[]).map(({ question_cut }) => question_cut)).toEqual([undefined, true]);
  });

  test("widens answers to words as it is told, under the pipeline's name too", async () => {
    await writeFile(join(folder, "words.txt"), "antidisestablishmentarianism unbelievably");
    const answersOf = async (...words: string[]) => {
      const { stdout } = await ask(["--model", "tiny", "--context", "words.txt", "--top-k", "40", "--json", ...words, "What?"]);
      return (JSON.parse(stdout) as Answer[]).map(({ answer }) => answer).sort();
    };
    const whole = ["antidisestablishmentarianism", "antidisestablishmentarianism unbelievably", "unbelievably"];
    expect(await answersOf()).toEqual(whole);
    expect(await answersOf("--align-to-words", "true")).toEqual(whole);
    expect((await answersOf("--align_to_words=False")).length).toBeGreaterThan(10);
    const { code, stderr } = await ask([...book, "--align-to-words", "words", "Who?"]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error USAGE: .*--align-to-words.* It must be auto, true or false\./)]);
  });

  test("says of a model that is no reader that it answers at random", async () => {
    await writeTinyReader(join(folder, "bare"), { holds: (name) => name.startsWith("bert.") });
    const { code, stderr } = await ask(["--model", "bare", "--context", "book.txt", "Who?"]);
    expect([code, stderr]).toEqual([0, "bare is not trained to answer questions: its answers are random.\n"]);
  });
});

describe("a mistake is told with what to do next:", () => {
  test.each<[string, string[], RegExp]>([
    ["no such context", ["--model", "tiny", "--context", "nowhere.txt", "Who?"], /^error FILE_MISSING: There is no nowhere\.txt[^]*--context -/],
    ["a folder", ["--model", "tiny", "--context", "a folder", "Who?"], /^error FILE_NOT_READABLE: Cannot read a folder/],
    ["bytes", ["--model", "tiny", "--context", "tiny/model.safetensors", "Who?"], /^error FILE_NOT_READABLE: .* is not UTF-8 text/],
    ["no such model", ["--model", "./tony", "--context", "book.txt", "Who?"], /^error FILE_MISSING: There is no model folder/],
    ["no question", book, /^error USAGE: missing required argument 'questions'/],
    ["an empty question", [...book, " "], /^error QUESTION_EMPTY: The text of the question is empty/],
    ["no answers", [...book, "--top-k", "0", "Who?"], /^error USAGE: .*It must be a whole number, at least 1/],
    ["windows longer than the model's", [...book, "--max-seq-len", "200", "Who?"], /^error ANSWER_OPTION: [^]*at most 128/],
  ])("%s", async (_, words, message) => {
    const { code, stdout, stderr } = await ask(words);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n +at /);
  });

  test.skipIf(process.platform === "win32")("a text that is too long, or never ends", async () => {
    for (const [name, input] of [
      ["-", Buffer.alloc(12_500_000, "a ")],
      ["/dev/zero", undefined],
    ] as const) {
      const { code, stderr } = await ask(["--model", "tiny", "--context", name, "Who?"], input);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^error TEXT_TOO_LONG: [^]*at most 2000000 characters[^]*next: Cut it into parts/)]);
    }
  });

  test("an empty text on standard input, as JSON", async () => {
    const { code, stderr } = await ask(["--model", "tiny", "--context", "-", "--json", "Who?"], "");
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "QUESTION_EMPTY" } });
  });
});

test("the bundled model answers some seconds after a cold start, on a busy machine too", async () => {
  const { context: text, question } = { context: readFileSync(join(starter, "squad/ORIGIN.md"), "utf8"), question: "Which licence?" };
  const started = performance.now();
  const { code } = await ask(["--model", join(starter, "minilm-l6"), "--context", "-", question], text);
  expect(code).toBe(0);
  expect(performance.now() - started).toBeLessThan(10_000); // half a second on an idle machine: docs/performance.md
});
