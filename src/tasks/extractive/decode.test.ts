import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QaExample } from "../../data/examples.js";
import { decodeAnswers, largest, type SpanLogits } from "./decode.js";
import type { Feature } from "./features.js";

const context = "one two three four five six";
const words = [...context.matchAll(/\w+/g)].map(({ index, 0: word }) => [index, index + word.length]);
const example: QaExample = { id: "q", question: "?", context, answers: [], impossible: true };

/** [CLS] ? [SEP] words from … [SEP] */
function feature(from: number, to: number, exampleIndex = 0): Feature {
  const tokens = [[-1, -1], [-1, -1], [-1, -1], ...words.slice(from, to), [-1, -1]];
  const length = tokens.length;
  return {
    exampleIndex,
    exampleId: "q",
    ids: new Int32Array(length),
    typeIds: new Int32Array(length),
    offsets: Int32Array.from(tokens.flat()),
    start: 0,
    end: 0,
    length,
  };
}

const logits = (start: number[], end: number[]): SpanLogits => ({ start: Float32Array.from(start), end: Float32Array.from(end) });

describe("decodeAnswers", () => {
  it("takes the best pair in order, within the context, cut from the original text", () => {
    // Token 1 (the question) and token 0 have the highest logits, the best end stands before the best start.
    const one = logits([9, 9, 0, 1, 0, 5, 0, 0, 0, 0], [9, 9, 0, 0, 6, 0, 0, 2, 0, 0]);
    const { predictions, nBest } = decodeAnswers([example], [feature(0, 6)], [one]);
    expect(predictions.get("q")).toBe("three four five"); // of equal scores, the one whose start token scores higher
    expect(
      nBest
        .get("q")!
        .slice(0, 2)
        .map(({ text, score, start, end }) => [text, score, start, end]),
    ).toEqual([
      ["three four five", 7, 8, 23],
      ["one two", 7, 0, 7],
    ]);
  });

  it("reads over all windows, and takes the lowest null score", () => {
    const windows = [feature(0, 3), feature(2, 6)];
    const both = [logits([3, 0, 0, 1, 0, 0, 0], [3, 0, 0, 1, 0, 0, 0]), logits([1, 0, 0, 0, 0, 0, 4, 0], [1, 0, 0, 0, 0, 0, 4, 0])];
    const { predictions, nullOdds } = decodeAnswers([example], windows, both, { nullThreshold: 0 });
    expect(predictions.get("q")).toBe("six");
    expect(nullOdds.get("q")).toBe(2 - 8);
  });

  it("answers nothing above the null threshold, and always without one", () => {
    const one = logits([5, 0, 0, 1, 0, 0, 0], [5, 0, 0, 1, 0, 0, 0]);
    const decode = (nullThreshold?: number) => decodeAnswers([example], [feature(0, 3)], [one], { nullThreshold }).predictions.get("q");
    expect([decode(), decode(0), decode(7.9), decode(8)]).toEqual(["one", "", "", "one"]);
  });

  it('keeps to the longest answer, and predicts "" when no pair counts', () => {
    const one = logits([0, 0, 0, 9, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 9, 0]);
    expect(decodeAnswers([example], [feature(0, 6)], [one], { maxAnswerLength: 6 }).predictions.get("q")).toBe(context);
    expect(decodeAnswers([example], [feature(0, 6)], [one], { maxAnswerLength: 5 }).predictions.get("q")).not.toBe(context);
    const none = decodeAnswers([example], [feature(0, 6)], [one], { nBest: 1, maxAnswerLength: 5 });
    expect([none.predictions.get("q"), none.nullOdds.get("q"), none.nBest.get("q")]).toEqual(["", 0, []]);
  });

  it("agrees with trying every pair and sorting all", () => {
    const length = 3 + 6 + 1;
    const values = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: length, maxLength: length });
    fc.assert(
      fc.property(values, values, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 6 }), (start, end, nBest, maxAnswerLength) => {
        const one = feature(0, 6);
        const { nBest: spans } = decodeAnswers([example], [one], [logits(start, end)], { nBest, maxAnswerLength });
        const topOf = (scores: number[]) =>
          scores
            .map((score, i) => ({ score, i }))
            .sort((a, b) => b.score - a.score)
            .slice(0, nBest);
        const expected = topOf(start)
          .flatMap((s) => topOf(end).map((e) => ({ s: s.i, e: e.i, score: s.score + e.score })))
          .filter(({ s, e }) => one.offsets[2 * s] >= 0 && one.offsets[2 * e] >= 0 && s <= e && e - s < maxAnswerLength)
          .sort((a, b) => b.score - a.score)
          .slice(0, nBest)
          .map(({ s, e, score }) => [one.offsets[2 * s], one.offsets[2 * e + 1], score]);
        expect(spans.get("q")!.map((span) => [span.start, span.end, span.score])).toEqual(expected);
      }),
    );
  });

  it("gives probabilities that add up to 1 with the null's", () => {
    const one = logits([500, 0, 0, 499, 498, 0, 0], [500, 0, 0, 499, 498, 0, 0]);
    const spans = decodeAnswers([example], [feature(0, 3)], [one], { nullThreshold: 0 }).nBest.get("q")!;
    const sum = spans.reduce((total, span) => total + span.probability, 0);
    expect(sum + spans[0].probability * Math.exp(2)).toBeCloseTo(1, 6);
  });

  it("does not take long for thousands of windows", () => {
    const long = { ...feature(0, 6), length: 384, offsets: Int32Array.from({ length: 768 }, (_, i) => (i < 24 ? -1 : i)) };
    const windows = Array.from({ length: 3000 }, (_, exampleIndex) => ({ ...long, exampleIndex }));
    const scores = Float32Array.from({ length: 384 }, (_, i) => Math.sin(i * i));
    const examples = windows.map((_, i) => ({ ...example, id: String(i) }));
    const begin = performance.now();
    expect(
      decodeAnswers(
        examples,
        windows,
        windows.map(() => ({ start: scores, end: scores })),
      ).predictions.size,
    ).toBe(3000);
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});

describe("largest", () => {
  it("is the head of a stable sort", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -9, max: 9 })), fc.integer({ min: 1, max: 25 }), (values, k) => {
        const sorted = values.map((_, i) => i).sort((a, b) => values[b] - values[a] || a - b);
        expect(largest(Float32Array.from(values), values.length, k)).toEqual(sorted.slice(0, k));
      }),
    );
  });
});
