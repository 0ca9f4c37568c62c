import { describe, expect, test } from "vitest";
import type { QaExample } from "../data/examples.js";
import type { DecodedAnswers } from "../tasks/extractive/decode.js";
import { exampleResults } from "./example-results.js";
import { describeSameSpan, sameSpan } from "./same-span.js";

const words = ["Rome", "fell", "in", "476", "and", "rose", "again", "later"];
const context = (c: number): string => `${c}. ${words.join(" ")}.`;

/** Questions on texts, each with a gold answer of its own, and what a reader says to each. */
function results(contexts: number, questions: number, says: (c: number, q: number) => string, gold = (q: number) => words[q % words.length]) {
  const examples: QaExample[] = [];
  const answers: DecodedAnswers = { predictions: new Map(), nullOdds: new Map(), nBest: new Map() };
  for (let c = 0; c < contexts; c++) {
    for (let q = 0; q < questions; q++) {
      const [id, text, said] = [`${c}-${q}`, context(c), says(c, q)];
      examples.push({ id, question: `What ${q}?`, context: text, answers: [{ text: gold(q), start: text.indexOf(gold(q)) }], impossible: false });
      const start = text.indexOf(said);
      answers.predictions.set(id, said);
      answers.nBest.set(id, said === "" ? [] : [{ text: said, start, end: start + said.length, score: 1, probability: 0.1 }]);
    }
  }
  return exampleResults(examples, answers, { nullThreshold: 0 });
}

describe("a reader that says one thing", () => {
  test("about each text is told, whatever it says about others", () => {
    const found = sameSpan(results(5, 6, (c) => words[c]))!;
    expect(found).toMatchObject({ kind: "context", share: 1, questions: 30 });
    expect(describeSameSpan(found)).toMatch(/same span for nearly every question about a text: for 100% of 30 questions.*"Rome".*17% would be/);
  });

  test("to all questions is told, also where each text has one question only", () => {
    const found = sameSpan(results(20, 1, () => "Rome", () => "476")); // here it is right each time
    expect(found).toBeUndefined();
    const single = results(20, 1, () => "Rome");
    expect(sameSpan(single.map((result, i) => ({ ...result, example: { ...result.example, answers: [{ text: words[i % 8], start: 0 }] } })))).toMatchObject({ kind: "text", share: 1 });
  });

  test("or nothing at all", () => {
    expect(describeSameSpan(sameSpan(results(1, 12, () => ""))!)).toContain("no answer");
  });

  test("is not told of one that reads, of few questions, or of none", () => {
    expect(sameSpan(results(5, 6, (_, q) => words[q]))).toBeUndefined();
    expect(sameSpan(results(5, 6, (_, q) => (q < 4 ? words[0] : words[q])))).toBeUndefined(); // two thirds
    expect(sameSpan(results(1, 6, () => "Rome"))).toBeUndefined();
    expect(sameSpan([])).toBeUndefined();
  });
});
