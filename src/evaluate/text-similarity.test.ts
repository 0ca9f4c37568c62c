/** Measures of plain texts, held to Python's (reference/make_text_goldens.py). */
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { levenshteinDistance, type TextSimilarity, textSimilarity } from "./text-similarity.js";

const goldens = JSON.parse(await readFile("test/text-goldens.json", "utf8")) as { prediction: string; gold: string; figures: TextSimilarity }[];

test("have Python's figures", () => {
  for (const { prediction, gold, figures } of goldens) {
    const made = textSimilarity(prediction, gold);
    const shown = JSON.stringify([prediction, gold]);
    expect([made.plainExact, made.distance], shown).toEqual([figures.plainExact, figures.distance]);
    expect(made.unigramF1, shown).toBeCloseTo(figures.unigramF1, 12);
    expect(made.similarity, shown).toBeCloseTo(figures.similarity, 12);
  }
});

test("the distance is a metric", () => {
  const text = fc.string({ maxLength: 12, unit: fc.constantFrom("a", "b", "🙂", " ") });
  fc.assert(
    fc.property(text, text, text, (a, b, c) => {
      expect(levenshteinDistance(a, a)).toBe(0);
      expect(levenshteinDistance(a, b)).toBe(levenshteinDistance(b, a));
      expect(levenshteinDistance(a, c)).toBeLessThanOrEqual(levenshteinDistance(a, b) + levenshteinDistance(b, c));
    }),
  );
});
