/** Answers as a program gets them: pieces of the context, and where they stand. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, expectTypeOf, onTestFinished, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { starter, writeTinyReader } from "../../../test/tiny-reader.js";
import { loadExamples, type QaExample } from "../../data/examples.js";
import type { AnswerOptions } from "./answer-options.js";
import type { Answer } from "./answer-spans.js";
import type { Question } from "./prepared-question.js";
import { QuestionAnswerer } from "./question-answerer.js";

let folder: string;
let reader: QuestionAnswerer;
let examples: QaExample[];
const open = () => QuestionAnswerer.from(folder, { runtime: testRuntime() });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-answers-"));
  await writeTinyReader(folder);
  examples = (await loadExamples(join(starter, "squad/dev.json"), { limit: 4 })).examples;
  reader = await open();
});
afterAll(async () => {
  reader.release();
  await rm(folder, { recursive: true });
});

const book = "The book was written by Ada Lovelace in London in 1843. ";
const contexts: Record<string, string> = {
  "leading and doubled white space": "  \t  The book  was   written\n\n by Ada.  ",
  CRLF: "The book\r\nwas written\r\n\r\nby Ada.\r\n",
  emoji: "👩‍👩‍👧 wrote 😀 the 🇫🇷 book 🏳️‍🌈 in 1843 😀😀",
  "combining marks": "le cafe\u0301 d'Ada, e\u0301crit a\u0300 Londres: n\u0303 и\u0306",
  "right to left": "הספר נכתב על ידי עדה. كتبت آدا الكتاب ‏1843‎ في لندن.",
  Chinese: "這本書由𠀀𠀁寫於倫敦。 この本はロンドンで書かれた。",
  "controls and special spaces": "\ufeffThe\u00a0book\u200b was\u2028written\0by\u0007 Ada \ud800 x",
  "special tokens in the text": "It [CLS] is [SEP] in [UNK] London [MASK] or [PAD] Paris.",
  "several windows": book.repeat(30),
  "several windows of emoji": `${"😀 written ".repeat(80)}by 👩‍👩‍👧 Ada`,
  "a word longer than a window": `${"x".repeat(90)} ${"pneumono-".repeat(100)} end`,
  "one letter": "a",
};

const isWellFormed = (text: string) => !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);

function expectInPlace(context: string, answers: readonly Answer[]): void {
  for (const { answer, start, end, score } of answers) {
    expect(context.slice(start, end)).toBe(answer);
    expect(Number.isFinite(score) && score >= 0).toBe(true);
    if (isWellFormed(context)) expect(isWellFormed(answer), JSON.stringify(answer)).toBe(true);
    expect(answer).toBe(answer.trim());
  }
  const scores = answers.map(({ score }) => score);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
}

describe("an answer", () => {
  test.each(Object.entries(contexts))("stands in the original string where it says: %s", async (_, context) => {
    for (const handle_impossible_answer of [false, true]) {
      const answers = await reader.answer({ question: "Who wrote it?", context }, { top_k: 8, handle_impossible_answer });
      expect(answers.length).toBeGreaterThan(0);
      expectInPlace(context, answers);
      if (!handle_impossible_answer) for (const { answer } of answers) expect(answer).not.toBe("");
    }
  });

  test("does so in any text", async () => {
    const piece = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: "binary" }),
      fc.constantFrom(" ", "\r\n", "\t", "word", "😀", "e\u0301", "שלום"),
    );
    const text = fc.array(piece, { minLength: 1, maxLength: 60 }).map((pieces) => pieces.join("")).filter((context) => context !== ""); // prettier-ignore
    const asked = fc.asyncProperty(text, async (context) => {
      expectInPlace(context, await reader.answer({ question: "Who?", context }, { top_k: 3, max_seq_len: 24, doc_stride: 4 }));
    });
    await fc.assert(asked, { numRuns: 60 });
  });

  test("is made of whole words", async () => {
    const context = "Unbelievably, antidisestablishmentarianism Lovelaceische Schlüsselwörter (1843–1852).";
    const answers = await reader.answer({ question: "What?", context }, { top_k: 20, max_answer_len: 4 });
    const words = /^(Unbelievably|,|antidisestablishmentarianism|Lovelaceische|Schlüsselwörter|\(|1843|–|1852|\)|\.|\s)+$/;
    for (const { answer } of answers) expect(answer).toMatch(words);
  });

  test("is at most max_answer_len tokens long, before it is widened to whole words", async () => {
    const context = "a b c d e f g h i j k l m n o p q r s t u v w x y z";
    const longest = async (max_answer_len?: number) =>
      Math.max(
        ...(await reader.answer({ question: "?", context }, { top_k: 200, max_answer_len })).map(({ answer }) => answer.split(" ").length),
      );
    expect([await longest(1), await longest(3), await longest()]).toEqual([1, 3, 15]);
  });

  test("is one of a list where top_k says so, never twice the same text", async () => {
    const context = contexts["several windows"];
    const five = await reader.answer({ question: "Who?", context }, { top_k: 5 });
    expect(five).toHaveLength(5);
    expect(new Set(five.map(({ answer }) => answer.toLowerCase())).size).toBe(5);
    expect((await reader.answer({ question: "Who?", context: "a" }, { top_k: 5 })).length).toBe(1);
  });

  test("is none where there is nothing to read, and may be none where that is allowed", async () => {
    const none = { score: 0, start: 0, end: 0, answer: "" };
    expect(await reader.answer({ question: "Who?", context: " \r\n\t " })).toEqual(none);
    expect(await reader.answer({ question: "Who?", context: " \n" }, { handle_impossible_answer: true })).toEqual({ ...none, score: 1 });
    const all = await reader.answer({ question: "Who?", context: "Ada." }, { top_k: 9, handle_impossible_answer: true });
    expect(all.filter(({ answer }) => answer === "")).toHaveLength(1);
    expect(all.reduce((sum, { score }) => sum + score, 0)).toBeLessThanOrEqual(1);
  });

  test("has the type that top_k asks for", () => {
    const question: Question = { question: "Who?", context: "Ada." };
    const options: AnswerOptions = {};
    expectTypeOf(() => reader.answer(question)).returns.resolves.toEqualTypeOf<Answer>();
    expectTypeOf(() => reader.answer(question, { max_seq_len: 99 })).returns.resolves.toEqualTypeOf<Answer>();
    expectTypeOf(() => reader.answer(question, { top_k: 3 })).returns.resolves.toEqualTypeOf<Answer[]>();
    expectTypeOf(() => reader.answer([question])).returns.resolves.toEqualTypeOf<Answer[]>();
    expectTypeOf(() => reader.answer([question], { top_k: 3 })).returns.resolves.toEqualTypeOf<Answer[][]>();
    expectTypeOf(() => reader.answer(question, options)).returns.resolves.toEqualTypeOf<Answer | Answer[]>();
  });
});

describe("many questions", () => {
  test("are answered as each by itself", async () => {
    const questions = [...examples, ...Object.values(contexts).map((context) => ({ question: "Who wrote it?", context }))];
    const together = await reader.answer(questions);
    for (const [index, question] of questions.entries()) {
      const { score, ...alone } = await reader.answer(question);
      expect(together[index]).toMatchObject(alone);
      expect(together[index].score).toBeCloseTo(score, 4);
    }
    expect(await reader.answer([])).toEqual([]);
  });

  test("asked at once, before the answers are there, get their own answers", async () => {
    const questions = [...examples, { question: "?", context: contexts["several windows"] }, { question: "Où?", context: contexts.emoji }];
    const oneByOne: Answer[] = [];
    for (const question of questions) oneByOne.push(await reader.answer(question));
    for (let round = 0; round < 3; round++)
      expect(await Promise.all(questions.map((question) => reader.answer(question)))).toEqual(oneByOne);
  });

  test("collected from several callers keep their own options", async () => {
    const question = { question: "Who?", context: contexts["several windows"] };
    const settings: AnswerOptions[] = [{}, { top_k: 3 }, { max_seq_len: 40, doc_stride: 8, handle_impossible_answer: true }];
    const prepared = (await Promise.all(settings.map((options) => reader.prepare([question], options)))).flat();
    expect(prepared.map(({ windows }) => windows.length > 1)).toEqual([true, true, true]);
    for (const { windows, tokens } of prepared) expect(tokens).toBe(windows.reduce((sum, { ids }) => sum + ids.length, 0));
    const answers = await reader.answerPrepared(prepared);
    expect(answers.map((best) => best.length)).toEqual([1, 3, 1]);
    for (const [index, options] of settings.entries()) {
      const alone = await reader.answer(question, options);
      expect(answers[index][0].answer).toBe((Array.isArray(alone) ? alone[0] : alone).answer);
    }
  });

  test("can be called off between two batches", async () => {
    const stop = new AbortController();
    const told: number[] = [];
    const onProgress = (done: number) => {
      told.push(done);
      stop.abort(new Error("enough"));
    };
    const question = { question: "Who?", context: book.repeat(200) };
    await expect(reader.answer(question, { signal: stop.signal, onProgress })).rejects.toThrow("enough");
    expect(told).toHaveLength(1);
    expect((await reader.answer({ question: "Who?", context: "Ada." })).answer).not.toBe("");
  });
});

test("a question longer than max_question_len is cut, and leaves room for its context", async () => {
  const long = { question: "Who wrote it? ".repeat(300), context: contexts["several windows"] };
  const [{ windows }] = await reader.prepare([long]);
  expect(windows[0].ids.lastIndexOf(102, -2)).toBe(65); // [CLS], 64 tokens of the question, [SEP]
  const [short] = await reader.prepare([long], { max_question_len: 5 });
  expect(short.windows[0].offsets.findIndex((place) => place >= 0) / 2).toBe(7);
  expectInPlace(long.context, [await reader.answer(long)]);
});

test("each answer to a question that was cut says so, and no other does", async () => {
  const question = { question: "Who wrote it?", context: book };
  const answers = await reader.answer([question, { ...question, question: "Who wrote it, then?" }], { top_k: 2, max_question_len: 4 });
  expect(answers.map((best) => best.map((answer) => answer.question_cut))).toEqual([
    [undefined, undefined],
    [true, true],
  ]);
  expect("question_cut" in answers[0][0]).toBe(false);
});

describe("weights", () => {
  const question: Question = { question: "Who wrote it?", context: book };
  /** A folder of its own, whose weights can be spoilt. */
  const ownFolder = async () => {
    const own = await mkdtemp(join(tmpdir(), "lectern-weights-"));
    onTestFinished(() => rm(own, { recursive: true }));
    return { own, file: join(await writeTinyReader(own), "model.safetensors") };
  };
  /** Zeros in place of what stands behind the header. */
  const spoil = async (file: string) => {
    const bytes = await readFile(file);
    await writeFile(file, bytes.fill(0, 8 + Number(bytes.readBigUInt64LE(0))));
  };

  test("are read with the first question, not when the reader is opened", async () => {
    const { own, file } = await ownFolder();
    const [early, late] = [await QuestionAnswerer.from(own, { runtime: testRuntime() }), await QuestionAnswerer.from(own, { runtime: testRuntime() })];
    const before = await early.answer(question);
    await spoil(file);
    expect(await early.answer(question)).toEqual(before);
    expect((await late.answer(question)).score).not.toBe(before.score);
    for (const one of [early, late]) one.release();
  });

  test("can be read before: load() changes no answer and may be called again", async () => {
    const { own, file } = await ownFolder();
    const [plain, loaded] = [await QuestionAnswerer.from(own, { runtime: testRuntime() }), await QuestionAnswerer.from(own, { runtime: testRuntime() })];
    await Promise.all([loaded.load(), loaded.load()]);
    const expected = await plain.answer(question);
    await spoil(file);
    await loaded.load();
    expect(await loaded.answer(question)).toEqual(expected);
    for (const one of [plain, loaded]) one.release();
  });

  test("are never read where no question is asked, and their file is closed", async () => {
    const { own } = await ownFolder();
    const unasked = await QuestionAnswerer.from(own, { runtime: testRuntime() });
    await unasked.prepare([question]);
    unasked.release();
    await expect(unasked.load()).rejects.toThrow("after release()");
  });
});

test("released, it finishes what it began, and answers nothing more", async () => {
  const own = await open();
  const begun = own.answer(examples);
  own.release();
  expect(await begun).toEqual(await reader.answer(examples));
  await expect(own.answer(examples[0])).rejects.toThrow(/release/);
  own.release();
});

describe("mistakes are told", () => {
  const asked = { question: "Who?", context: "Ada." };
  test.each<[string, unknown, object, string, RegExp]>([
    ["no question", { ...asked, question: "" }, {}, "QUESTION_EMPTY", /text of the question is empty/],
    ["white space for a question", { ...asked, question: " \n" }, {}, "QUESTION_EMPTY", /empty/],
    ["no context", { ...asked, context: "" }, {}, "QUESTION_EMPTY", /context of the question is empty/],
    ["one of several", [asked, { ...asked, context: "" }], {}, "QUESTION_EMPTY", /context of question 2 of 2 is empty/],
    ["a number for a context", { ...asked, context: 3 }, {}, "QUESTION_EMPTY", /not a text[^]*number/],
    ["a missing context", { question: "Who?" }, {}, "QUESTION_EMPTY", /not a text[^]*undefined/],
    ["top_k 0", asked, { top_k: 0 }, "ANSWER_OPTION", /top_k[^]*from 1[^]*0/],
    ["top_k 1.5", asked, { top_k: 1.5 }, "ANSWER_OPTION", /top_k/],
    ["top_k as text", asked, { top_k: "3" }, "ANSWER_OPTION", /top_k[^]*"3"/],
    ["max_answer_len 0", asked, { max_answer_len: 0 }, "ANSWER_OPTION", /max_answer_len/],
    ["a negative stride", asked, { doc_stride: -1 }, "ANSWER_OPTION", /doc_stride/],
    ["a stride as long as the window", asked, { doc_stride: 64, max_seq_len: 64 }, "TOKENIZER_WINDOW", /doc_stride/],
    ["a window longer than the model's", asked, { max_seq_len: 129 }, "ANSWER_OPTION", /at most 128/],
    ["a window without room", asked, { max_seq_len: 4, doc_stride: 0 }, "TOKENIZER_WINDOW", /max_seq_len/],
    ["handle_impossible_answer 1", asked, { handle_impossible_answer: 1 }, "ANSWER_OPTION", /true or false/],
    ["align_to_words as text", asked, { align_to_words: "true" }, "ANSWER_OPTION", /true, false or "auto"[^]*"true"/],
    ["a name that does not exist", asked, { topK: 3 }, "ANSWER_OPTION", /topK[^]*top_k/],
  ])("%s", async (_, question, options, code, message) => {
    await expect(reader.answer(question as Question, options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  test("a question that may be longer than its window", async () => {
    const question = { question: "who ".repeat(100), context: "Ada." };
    const answer = reader.answer(question, { max_seq_len: 40, doc_stride: 5, max_question_len: 40 });
    await expect(answer).rejects.toMatchObject({ code: "TOKENIZER_WINDOW", message: expect.stringMatching(/max_question_len/) as string });
  });
});
