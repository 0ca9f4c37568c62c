import { describe, expect, test } from "vitest";
import type { QaExample } from "../data/examples.js";
import { breakdowns } from "./breakdowns.js";
import type { ExampleResult } from "./example-results.js";
import { questionWord } from "./question-word.js";
import { textSimilarity } from "./text-similarity.js";

function result(example: Partial<QaExample>, f1: number): ExampleResult {
  const whole: QaExample = { id: "1", question: "What?", context: "one two three four five", answers: [{ text: "two", start: 4 }], impossible: false, ...example };
  const scores = { exact: f1 === 1 ? 1 : 0, f1 };
  return { example: whole, prediction: "", span: undefined, probability: 0.5, nullOdds: 0, ...scores, unheld: scores, outcome: "boundary", text: textSimilarity("", "two"), pipeline: undefined };
}

const groups = (results: ExampleResult[], name: string) =>
  breakdowns(results)
    .find((one) => one.name === name)
    ?.groups.map((group) => [group.name, group.count, group.f1]);

test("a question's kind is its first question word", () => {
  const kinds = {
    "What is it?": "what",
    "In which year?": "which",
    "For whom did he play?": "who",
    "Whose is it?": "who",
    "How many were there?": "how many/much",
    "How MUCH?": "how many/much",
    "How long, and how many?": "how",
    "What's new?": "what",
    "Is it so?": "other",
    "": "other",
    "Somewhere, when?": "when",
    "Quand?": "other",
  };
  for (const [question, kind] of Object.entries(kinds)) expect(questionWord(question), question).toBe(kind);
});

describe("breakdowns", () => {
  test("by question word, the most frequent first, with intervals around the means", () => {
    const results = [result({ question: "Who?" }, 1), result({}, 0), result({}, 1)];
    expect(groups(results, "question word")).toEqual([
      ["what", 2, 0.5],
      ["who", 1, 1],
    ]);
    const [what] = breakdowns(results)[0].groups;
    expect([what.exact, what.exactInterval.low < 0.5, what.f1Interval.high > 0.5]).toEqual([0.5, true, true]);
  });

  test("by the length of the first gold answer", () => {
    const of = (words: number) => result({ answers: [{ text: " w".repeat(words), start: 0 }, { text: "w", start: 0 }] }, 1);
    const results = [11, 10, 6, 5, 4, 3, 2, 1].map(of).concat(result({ answers: [], impossible: true }, 0));
    expect(groups(results, "answer length")?.map(([name, count]) => [name, count])).toEqual([
      ["1 word", 1],
      ["2 words", 1],
      ["3 words", 1],
      ["4–5 words", 2],
      ["6–10 words", 2],
      ["11 words or more", 1],
      ["no answer", 1],
    ]);
  });

  test("by quarters of the context's length, fewer where lengths are equal", () => {
    const of = (words: number) => result({ context: "w ".repeat(words) }, 1);
    expect(groups(Array.from({ length: 8 }, (_, i) => of(10 * (i + 1))), "context length")).toEqual([
      ["10–27 words", 2, 1],
      ["28–45 words", 2, 1],
      ["46–62 words", 2, 1],
      ["63–80 words", 2, 1],
    ]);
    expect(groups([of(7), of(7), of(7)], "context length")).toEqual([["7 words", 3, 1]]);
  });

  test("by the place of the answer", () => {
    const context = "x".repeat(100);
    const of = (start: number) => result({ context, answers: [{ text: "x", start }] }, 1);
    expect(groups([of(0), of(19), of(20), of(99), of(-1), result({ answers: [], impossible: true }, 1)], "answer position")).toEqual([
      ["first fifth", 2, 1],
      ["second fifth", 1, 1],
      ["last fifth", 1, 1],
      ["not found in the context", 1, 1],
      ["no answer", 1, 1],
    ]);
  });

  test("by article, the lowest F1 first, where there are titles", () => {
    expect(groups([result({}, 1)], "article")).toBeUndefined();
    expect(groups([result({ title: "B" }, 1), result({ title: "A" }, 0.5), result({}, 0.75)], "article")).toEqual([
      ["A", 1, 0.5],
      ["(no title)", 1, 0.75],
      ["B", 1, 1],
    ]);
  });
});
