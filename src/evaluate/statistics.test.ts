/** Summaries, intervals, calibration, precision and recall, bootstrap: held to numpy and to the official script (reference/make_report_goldens.py). */
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pairedBootstrap } from "./bootstrap.js";
import { calibration } from "./calibration.js";
import { precisionRecall, type RankedAnswer } from "./precision-recall.js";
import { boxOf, summarise, type Summary, wilsonInterval } from "./statistics.js";

interface Differences {
  differences: number[];
  low: number;
  high: number;
}
interface Goldens {
  precision_recall: {
    answers: RankedAnswer[];
    averagePrecision: number;
    precisions: number[];
    recalls: number[];
    best: number;
    bestThreshold: number;
    ties: boolean;
  }[];
  calibration: { probabilities: number[]; right: number[]; expectedError: number; counts: number[] }[];
  bootstrap: { exact: Differences[]; sampled: Differences & { deviation: number } };
  summary: { values: number[]; figures: Summary };
}
const goldens = JSON.parse(await readFile("test/report-goldens.json", "utf8")) as Goldens;

describe("a summary", () => {
  test("has numpy's figures", () => {
    const figures = summarise(goldens.summary.values);
    for (const [name, value] of Object.entries(goldens.summary.figures)) expect(figures[name as keyof Summary], name).toBeCloseTo(value, 12);
  });

  test("of one value and of none is finite", () => {
    expect(summarise([3])).toEqual({ count: 1, mean: 3, deviation: 0, min: 3, lowerQuartile: 3, median: 3, upperQuartile: 3, max: 3 });
    expect(Object.values(summarise([]))).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("a box", () => {
  test("has matplotlib's quartiles, whiskers and points", () => {
    // matplotlib.cbook.boxplot_stats([-20, 1, 2, 2, 3, 4, 5, 5.5, 9, 30]): q1 2, med 3.5, q3 5.375, whislo 1, whishi 9, fliers [-20, 30]
    expect(boxOf([9, 30, 1, 2, 2, 3, 4, -20, 5, 5.5])).toEqual({ lowerQuartile: 2, median: 3.5, upperQuartile: 5.375, low: 1, high: 9, outliers: [-20, 30] });
  });

  test("of equal values, of one and of none is finite", () => {
    expect(boxOf([2, 2, 2])).toEqual({ lowerQuartile: 2, median: 2, upperQuartile: 2, low: 2, high: 2, outliers: [] });
    expect(boxOf([])).toEqual({ lowerQuartile: 0, median: 0, upperQuartile: 0, low: 0, high: 0, outliers: [] });
  });
});

describe("Wilson's interval", () => {
  test("has the textbook's values", () => {
    // Agresti and Coull 1998: 0 of 10 gives an upper limit of z²/(n + z²); 5 of 10 is symmetric
    expect(wilsonInterval(0, 10)).toEqual({ low: 0, high: expect.closeTo(0.27753, 5) as number });
    expect(wilsonInterval(0.5, 10)).toEqual({ low: expect.closeTo(0.23659, 5) as number, high: expect.closeTo(0.76341, 5) as number });
    expect(wilsonInterval(0.5, 0)).toEqual({ low: 0, high: 1 });
  });

  test("lies in [0, 1] and holds the mean", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 100_000 }), (mean, n) => {
        const { low, high } = wilsonInterval(mean, n);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(mean + 1e-12);
        expect(high).toBeGreaterThanOrEqual(mean - 1e-12);
      }),
    );
  });
});

describe("calibration", () => {
  test.each(goldens.calibration)("has the expected error of numpy's bins ($counts)", ({ probabilities, right, expectedError, counts }) => {
    const { bins, expectedError: error } = calibration(probabilities, right);
    expect(bins.map(({ count }) => count)).toEqual(counts);
    expect(error).toBeCloseTo(expectedError, 12);
  });

  test("bins hold their upper bound, and every probability has one", () => {
    const { bins } = calibration([0, 0.1, 0.1000001, 1, 1.0000000000000002], [1, 1, 1, 1, 1]);
    expect([bins[0].count, bins[1].count, bins[9].count]).toEqual([2, 1, 2]);
    expect(calibration([], [])).toMatchObject({ expectedError: 0, largestError: 0 });
    expect(calibration([0.9, 0.8], [1, 0]).expectedError).toBeCloseTo(0.45, 12);
    expect(calibration([0.9, 0.8], [1, 0]).largestError).toBeCloseTo(0.8, 12);
  });
});

describe("precision and recall over the null threshold", () => {
  test.each(goldens.precision_recall)("are the official script's, of $answers.length answers", (golden) => {
    const { points, averagePrecision, best } = precisionRecall(golden.answers)!;
    expect(100 * averagePrecision).toBeCloseTo(golden.averagePrecision, 10);
    expect(points.map(({ precision }) => precision)).toEqual(golden.precisions);
    expect(points.map(({ recall }) => recall)).toEqual(golden.recalls);
    // where several answers have one score, the script may put its threshold between them, which none can do
    if (golden.ties) expect(100 * best.score).toBeLessThanOrEqual(golden.best + 1e-9);
    else {
      expect(100 * best.score).toBeCloseTo(golden.best, 10);
      expect(best.threshold === -Infinity ? 0 : best.threshold).toBe(golden.bestThreshold); // 0 stands in the script for answering nothing
    }
  });

  test("answer nothing where that is best, and are none where no question has an answer", () => {
    const wrong = { nullOdds: -1, answerable: false, score: 0 };
    expect(precisionRecall([wrong])).toBeUndefined();
    const { best } = precisionRecall([wrong, { nullOdds: 0, answerable: true, score: 0.5 }])!;
    expect(best).toEqual({ threshold: -Infinity, score: 0.5 });
  });
});

describe("the paired bootstrap", () => {
  const zeros = (values: readonly number[]) => values.map(() => 0);

  test.each(goldens.bootstrap.exact)("has the percentiles of all possible samples ($differences)", ({ differences, low, high }) => {
    const result = pairedBootstrap(differences, zeros(differences), { seed: 1, resamples: 100_000 });
    expect([result.low, result.high]).toEqual([expect.closeTo(low, 10), expect.closeTo(high, 10)]);
  });

  test("agrees with numpy's samples of many questions", () => {
    const { differences, low, high, deviation } = goldens.bootstrap.sampled;
    const result = pairedBootstrap(differences, zeros(differences), { seed: 5, resamples: 50_000 });
    expect(Math.abs(result.low - low)).toBeLessThan(deviation / 20);
    expect(Math.abs(result.high - high)).toBeLessThan(deviation / 20);
  });

  test("is the same for a seed, and turns round with the models", () => {
    const [a, b] = [Array.from({ length: 50 }, (_, i) => (i % 3) / 2), Array.from({ length: 50 }, (_, i) => (i % 4) / 3)];
    const forth = pairedBootstrap(a, b, { seed: 3, resamples: 500 });
    expect(pairedBootstrap(a, b, { seed: 3, resamples: 500 })).toEqual(forth);
    expect(pairedBootstrap(a, b, { seed: 4, resamples: 500 }).means).not.toEqual(forth.means);
    const back = pairedBootstrap(b, a, { seed: 3, resamples: 500 });
    expect(back.difference).toBeCloseTo(-forth.difference, 12);
    expect(back.low).toBeCloseTo(-forth.high, 12);
    expect(back.shareBetter).toBeCloseTo(1 - forth.shareBetter, 12);
  });

  test("of a model with itself is 0 and refuses other questions", () => {
    expect(pairedBootstrap([1, 0], [1, 0])).toMatchObject({ difference: 0, low: 0, high: 0, shareBetter: 0.5 });
    expect(() => pairedBootstrap([1], [1, 0])).toThrow(/same questions/);
    expect(() => pairedBootstrap([], [])).toThrow(/same questions/);
  });
});
