/** Answers as a program gets them: pieces of the context, and where they stand. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { starter, writeTinyReader } from "../../../test/tiny-reader.js";
import { loadExamples, type QaExample } from "../../data/examples.js";
import { QuestionAnswerer } from "./question-answerer.js";

let folder: string;
let examples: QaExample[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-answers-"));
  await writeTinyReader(folder);
  examples = (await loadExamples(join(starter, "squad/dev.json"), { limit: 4 })).examples;
});
afterAll(() => rm(folder, { recursive: true }));

describe("QuestionAnswerer", () => {
  test("answers with a piece of the context and where it stands", async () => {
    const reader = await QuestionAnswerer.from(folder, testRuntime());
    const texts = [
      ...examples,
      { question: "Où?", context: "👩‍👩‍👧 naïve café — “quoted”\n\nnext\u00a0line 中文 text" },
      { question: "?", context: "word ".repeat(400) },
    ];
    const answers = await reader.answer(texts);
    expect(answers).toHaveLength(texts.length);
    answers.forEach(({ answer, start, end, score }, index) => {
      expect(texts[index].context.slice(start, end)).toBe(answer);
      expect(answer).not.toBe("");
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThanOrEqual(1);
    });
    expect(await reader.answer(texts)).toEqual(answers);
    expect(await reader.answer([])).toEqual([]);
    reader.release();
  });

  test("has no answer where there is no context", async () => {
    const reader = await QuestionAnswerer.from(folder, testRuntime());
    expect(await reader.answer([{ question: "Who?", context: "" }])).toEqual([{ answer: "", start: 0, end: 0, score: 0 }]);
    reader.release();
  });
});
