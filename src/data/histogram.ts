/** Histograms of lengths as SVG, drawn by ECharts' server-side renderer, which needs neither a browser nor a DOM. */
import { BarChart } from "echarts/charts";
import { GridComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { lengthStatistics } from "./lengths.js";

use([BarChart, GridComponent, TitleComponent, SVGRenderer]);

/** Values counted in intervals of one width; `counts[i]` are those from `i · width` to below `(i + 1) · width`. */
export interface Bins {
  width: number;
  counts: number[];
}

const mostBins = 40;

/**
 * Counts values that are not negative in at most 40 intervals, whose width is 1, 2 or 5 times a power of ten.
 * @example
 * binned([0, 3, 4, 99]).width; // 5
 */
export function binned(values: readonly number[]): Bins {
  const max = values.reduce((largest, value) => Math.max(largest, value), 0);
  let width = 1;
  for (let step = 0; Math.floor(max / width) >= mostBins; step++) width *= step % 3 === 1 ? 2.5 : 2;
  const counts = new Array<number>(Math.floor(max / width) + 1).fill(0);
  for (const value of values) counts[Math.floor(value / width)]++;
  return { width, counts };
}

/**
 * A histogram as an SVG document.
 * @param unit what is measured, for the axis: "tokens"
 * @example
 * await writeFile("questions.svg", histogramSvg({ title: "Questions", unit: "tokens", values: lengths.question }));
 */
export function histogramSvg({ title, unit, values }: { title: string; unit: string; values: readonly number[] }): string {
  const { width, counts } = binned(values);
  const { count, p50, p95, max } = lengthStatistics(values);
  const chart = init(null, null, { renderer: "svg", ssr: true, width: 760, height: 380 });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: {
      text: title,
      subtext: `${count} samples, median ${Math.round(p50)}, 95% up to ${Math.round(p95)}, longest ${max} ${unit}`,
      left: 16,
      top: 8,
    },
    grid: { left: 72, right: 24, top: 72, bottom: 56 },
    xAxis: {
      type: "category",
      data: counts.map((_, i) => String(i * width)),
      name: width === 1 ? unit : `${unit} (a bar counts ${width}, from its label on)`,
      nameLocation: "middle",
      nameGap: 32,
    },
    yAxis: { type: "value", name: "samples", nameLocation: "middle", nameGap: 48, minInterval: 1 },
    series: [{ type: "bar", data: counts, barCategoryGap: "8%", itemStyle: { color: "#3b6ea8" } }],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
