import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binned, histogramSvg } from "./histogram.js";
import { lengthStatistics, percentile, shareOver } from "./lengths.js";

describe("lengthStatistics", () => {
  it("gives numpy's percentiles", () => {
    expect(lengthStatistics([4, 1, 3, 2])).toEqual({
      count: 4,
      min: 1,
      mean: 2.5,
      p50: 2.5,
      p90: 3.7,
      p95: 3.85,
      p99: 3.97,
      max: 4,
    });
    expect(percentile([7], 99)).toBe(7);
    expect(lengthStatistics([])).toEqual({ count: 0, min: 0, mean: 0, p50: 0, p90: 0, p95: 0, p99: 0, max: 0 });
  });

  it("counts what is over a limit, not at it", () => {
    expect(shareOver([1, 2, 3, 4], 3)).toBe(0.25);
    expect(shareOver([], 3)).toBe(0);
  });
});

describe("histograms", () => {
  it("count every value once, in at most 40 intervals", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100_000)), (values) => {
        const { width, counts } = binned(values);
        expect(counts.length).toBeLessThanOrEqual(40);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(values.length);
        expect(String(width)).toMatch(/^(1|2|5)0*$/);
        for (const [i, count] of counts.entries()) expect(count).toBe(values.filter((value) => Math.floor(value / width) === i).length);
      }),
    );
  });

  it("are SVG documents with the title and the figures in them", () => {
    const svg = histogramSvg({ title: "Questions <1>", unit: "tokens", values: [3, 5, 5, 8] });
    expect(svg).toMatch(/^<svg [^]*<\/svg>\s*$/);
    expect(svg).toContain("Questions &lt;1&gt;");
    expect(svg).toContain("4 samples, median 5, 95% up to 8, longest 8 tokens");
    expect(histogramSvg({ title: "Nothing", unit: "tokens", values: [] })).toContain("0 samples");
  });
});
