/** The charts of a report: distributions, breakdowns with intervals, precision and recall, reliability, and the bootstrap's differences. */
import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from "echarts";
import type { BootstrapResult } from "../bootstrap.js";
import type { Breakdown, Group } from "../breakdowns.js";
import type { Calibration } from "../calibration.js";
import type { ExampleResult } from "../example-results.js";
import type { PrecisionRecall, PrecisionRecallPoint } from "../precision-recall.js";
import { outcomes } from "../outcome.js";
import { type Box, boxOf } from "../statistics.js";
import type { Report } from "./report-data.js";
import { axis, chart, colors, legend } from "./chart-svg.js";
import type { Markup } from "./html.js";

const percent = (share: number) => Math.round(1000 * share) / 10;

/** Questions counted by F1: 0 and 1 by themselves, tenths between. */
export function f1Bins(results: readonly ExampleResult[]): { name: string; count: number }[] {
  const names = ["0", ...Array.from({ length: 10 }, (_, i) => `${10 * i}–${10 * (i + 1)}`), "100"];
  const counts = names.map(() => 0);
  for (const { f1 } of results) counts[f1 <= 0 ? 0 : f1 >= 1 ? 11 : 1 + Math.min(9, Math.floor(10 * f1))]++;
  return names.map((name, i) => ({ name, count: counts[i] }));
}

export function f1Chart(results: readonly ExampleResult[]): Markup {
  const bins = f1Bins(results);
  return chart("Bar chart: how many questions have which F1", 260, ({ narrow }) => ({
    grid: { left: 56, right: 8, top: 12, bottom: 48 },
    xAxis: axis({ type: "category", data: bins.map(({ name }) => name), name: "F1 of a question", axisLabel: { interval: 0, rotate: narrow ? 60 : 0, fontSize: narrow ? 9 : 11 } , gap: narrow ? 38 : 30 }),
    yAxis: axis({ type: "value", name: "questions", gap: 42, minInterval: 1 }),
    series: [{ type: "bar", data: bins.map(({ count }) => count), barCategoryGap: "12%", itemStyle: { color: colors.first } }],
  }));
}

/** Values of one kind of one model, drawn as one box in the model's colour. */
export interface BoxRow {
  name: string;
  model: string;
  values: readonly number[];
}

/** Outliers that fall on one pixel are drawn once. */
const outlierSteps = 200;

/**
 * A box for each row: quartiles, whiskers, and a point for each outlier. Where there are two models a legend says which colour is whose.
 * @param most the end of the axis, where the values have one
 */
export function boxChart(label: string, unit: string, rows: readonly BoxRow[], most?: number): Markup {
  const shown = rows.toReversed(); // ECharts counts from the bottom
  const models = [...new Set(rows.map(({ model }) => model))];
  const colorOf = (model: string): string => (model === models[0] ? colors.first : colors.second);
  const boxes = shown.map(({ values }) => boxOf(values));
  const [least, end] = [Math.min(0, ...boxes.map(lowest)), most ?? Math.max(...boxes.map(highest))];
  const step = (end - least) / outlierSteps || 1;
  const outliersOf = (model: string): number[][] =>
    boxes.flatMap(({ outliers }, row) =>
      shown[row].model === model ? [...new Set(outliers.map((value) => Math.round((value - least) / step)))].map((steps) => [least + steps * step, row]) : [],
    );
  const head = models.length > 1 ? 26 : 0;
  return chart(label, head + 58 + 40 * shown.length, ({ narrow }) => ({
    ...(head > 0 && { legend }),
    grid: { left: narrow ? 108 : 150, right: 16, top: head + 6, bottom: 46 },
    xAxis: axis({ type: "value", name: unit, gap: 26, splitNumber: narrow ? 3 : 5, min: least, ...(most !== undefined && { max: most, interval: most / 4 }) }),
    yAxis: axis({
      type: "category",
      data: shown.map(({ name, values }, row) => `${name} (${values.length.toLocaleString("en-US")})${"\u200b".repeat(row)}`), // names of their own, though they look the same
      axisLabel: { color: colors.ink },
    }),
    series: [
      {
        type: "boxplot",
        boxWidth: [8, 20],
        data: boxes.map(({ low, lowerQuartile, median, upperQuartile, high }, row) => ({
          value: [low, lowerQuartile, median, upperQuartile, high],
          itemStyle: { color: colors.surface, borderColor: colorOf(shown[row].model), borderWidth: 2 },
        })),
      },
      ...models.map((model) => ({
        type: "scatter",
        name: shortened(model, 20),
        data: outliersOf(model),
        symbolSize: 5,
        itemStyle: { color: colorOf(model), opacity: 1 },
      })),
    ],
  }));
}

const lowest = ({ low, outliers }: Box): number => Math.min(low, outliers.at(0) ?? low);
const highest = ({ high, outliers }: Box): number => Math.max(high, outliers.at(-1) ?? high);

/** The Levenshtein distance of every question in the order of the data; where there are more questions than points, a point is the mean of its neighbours. */
export function distanceChart(models: readonly { name: string; results: readonly ExampleResult[] }[]): Markup {
  const line = ({ name, results }: (typeof models)[number], color: string, type: "solid" | "dashed") => {
    const every = distanceStep(results.length);
    const points = Array.from({ length: Math.ceil(results.length / every) }, (_, point) => {
      const part = results.slice(point * every, (point + 1) * every);
      return [point * every + (part.length + 1) / 2, part.reduce((sum, { text }) => sum + text.distance, 0) / part.length];
    });
    return { type: "line", name: shortened(name, 20), showSymbol: false, data: points, lineStyle: { color, type, width: 1.5 }, itemStyle: { color } };
  };
  return chart("Line chart: Levenshtein distance of each question to its first gold answer", 260, ({ narrow }) => ({
    legend,
    grid: { left: 56, right: 16, top: 30, bottom: 48 },
    xAxis: axis({ type: "value", name: "question, in the order of the data", min: 1, max: Math.max(2, models[0].results.length), splitNumber: narrow ? 3 : 6 }),
    yAxis: axis({ type: "value", name: "characters", gap: 42 }),
    series: models.map((model, i) => line(model, i === 0 ? colors.first : colors.second, i === 0 ? "solid" : "dashed")),
  }));
}

/** Questions that one point of `distanceChart` stands for. */
export function distanceStep(questions: number): number {
  return Math.max(1, Math.ceil(questions / mostPoints));
}

/** Questions counted by the probability of their answer, the right ones (EM) and the others. */
export function scoreChart(results: readonly ExampleResult[], { bins }: Calibration): Markup {
  const right = bins.map(({ count, accuracy }) => Math.round(count * accuracy));
  const wrong = bins.map(({ count }, i) => count - right[i]);
  const bar = (name: string, color: string, data: number[]) => ({ type: "bar", name, stack: "all", data, barCategoryGap: "12%", itemStyle: { color } });
  return chart(`Bar chart: how many of ${results.length} answers have which score, exact matches and others`, 260, ({ narrow }) => ({
    legend,
    grid: { left: 56, right: 8, top: 30, bottom: 48 },
    xAxis: axis({ type: "category", data: bins.map(({ low, high }) => `${low}–${high}`), name: "score (probability)", axisLabel: { interval: 0, rotate: narrow ? 60 : 0, fontSize: narrow ? 9 : 11 }, gap: narrow ? 38 : 30 }),
    yAxis: axis({ type: "value", name: "questions", gap: 42, minInterval: 1 }),
    series: [bar("exact match", colors.first, right), bar("not exact", colors.second, wrong)],
  }));
}

export function outcomeChart(counted: Report["outcomes"]): Markup {
  const shown = counted.toReversed();
  return chart("Bar chart: how many questions had which outcome", 40 + 30 * shown.length, ({ narrow }) => ({
    grid: { left: narrow ? 120 : 168, right: 52, top: 4, bottom: 24 },
    xAxis: axis({ type: "value", minInterval: 1, splitNumber: narrow ? 2 : 5 }),
    yAxis: axis({ type: "category", data: shown.map(({ outcome }) => outcomes[outcome].title), axisLabel: { color: colors.ink } }),
    series: [
      {
        type: "bar",
        barWidth: 16,
        data: shown.map(({ outcome, count }) => ({ value: count, itemStyle: { color: outcome === "exact" ? colors.first : colors.second } })),
        label: { show: true, position: "right", color: colors.ink, formatter: ({ dataIndex }: { dataIndex: number }) => `${percent(shown[dataIndex].share)}%` },
      },
    ],
  }));
}

/** F1 of groups as bars with their intervals as whiskers. */
export function breakdownChart({ name, groups }: Breakdown): Markup {
  const shown = groups.toReversed(); // ECharts counts from the bottom
  return chart(`Bar chart: F1 by ${name}, with 95% intervals`, 46 + 30 * shown.length, ({ narrow }) => ({
    grid: { left: narrow ? 128 : 220, right: 16, top: 4, bottom: 40 },
    xAxis: axis({ type: "value", min: 0, max: 100, name: "F1", gap: 24, interval: narrow ? 50 : 20 }),
    yAxis: axis({
      type: "category",
      data: shown.map(({ name: group, count }) => `${shortened(group.replaceAll("_", " "), narrow ? 14 : 30)} (${count})`),
      axisLabel: { color: colors.ink },
    }),
    series: [
      { type: "bar", data: shown.map(({ f1 }) => percent(f1)), barWidth: 14, itemStyle: { color: colors.first } },
      { type: "custom", data: shown.map(({ f1Interval }, i) => [percent(f1Interval.low), percent(f1Interval.high), i]), renderItem: whisker, encode: { x: [0, 1], y: 2 }, z: 3 },
    ],
  }));
}

const shortened = (name: string, most: number) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

/** A line from low to high with short ends. */
function whisker(_params: CustomSeriesRenderItemParams, api: CustomSeriesRenderItemAPI) {
  const [low, y] = api.coord([api.value(0), api.value(2)]);
  const [high] = api.coord([api.value(1), api.value(2)]);
  const line = (x1: number, y1: number, x2: number, y2: number) => ({
    type: "line" as const,
    shape: { x1, y1, x2, y2 },
    style: { stroke: colors.ink, lineWidth: 1.5 },
  });
  return { type: "group" as const, children: [line(low, y, high, y), line(low, y - 4, low, y + 4), line(high, y - 4, high, y + 4)] };
}

/** So many points of a curve are drawn: more than there are pixels say nothing. */
const mostPoints = 400;

export function precisionRecallChart({ exact, f1 }: { exact: PrecisionRecall; f1: PrecisionRecall }): Markup {
  const line = (name: string, color: string, type: "solid" | "dashed", points: readonly PrecisionRecallPoint[]) => {
    const every = Math.max(1, Math.ceil(points.length / mostPoints));
    const drawn = points.filter((_, i) => i % every === 0 || i === points.length - 1);
    return { type: "line", name, showSymbol: false, data: drawn.map(({ precision, recall }) => [percent(recall), percent(precision)]), lineStyle: { color, type, width: 2 }, itemStyle: { color } };
  };
  return chart("Line chart: precision over recall as the null threshold rises", 320, () => ({
    legend,
    grid: { left: 56, right: 16, top: 30, bottom: 48 },
    xAxis: axis({ type: "value", min: 0, max: 100, name: "recall, %" }),
    yAxis: axis({ type: "value", min: 0, max: 100, name: "precision, %", gap: 36 }),
    series: [line("F1", colors.first, "solid", f1.points), line("exact match", colors.second, "dashed", exact.points)],
  }));
}

/** Accuracy by probability, beside the diagonal that a calibrated reader would keep to. */
export function reliabilityChart({ bins }: Calibration): Markup {
  return chart("Bar chart: share of exact matches by score, beside the diagonal of perfect calibration", 320, ({ narrow }) => ({
    legend,
    grid: { left: 56, right: 16, top: 30, bottom: 48 },
    xAxis: axis({ type: "value", min: 0, max: 1, name: "score (probability)", interval: narrow ? 0.5 : 0.2 }),
    yAxis: axis({ type: "value", min: 0, max: 1, name: "share of exact matches", gap: 36 }),
    series: [
      {
        type: "custom",
        name: "exact matches",
        itemStyle: { color: colors.first },
        data: bins.filter(({ count }) => count > 0).map(({ low, high, accuracy }) => [low, high, accuracy]),
        renderItem: bar,
        encode: { x: [0, 1], y: 2 },
      },
      { type: "line", name: "perfect calibration", data: [[0, 0], [1, 1]], showSymbol: false, lineStyle: { color: colors.ink, type: "dashed", width: 1.5 }, itemStyle: { color: colors.ink } },
    ],
  }));
}

/** A bar between two values of the horizontal axis. */
function bar(_params: CustomSeriesRenderItemParams, api: CustomSeriesRenderItemAPI) {
  const [left, top] = api.coord([api.value(0), api.value(2)]);
  const [right, bottom] = api.coord([api.value(1), 0]);
  return {
    type: "rect" as const,
    shape: { x: left + 1, y: top, width: right - left - 2, height: Math.max(bottom - top, 1) },
    style: { fill: colors.first },
  };
}

/** How the mean difference is distributed over the bootstrap's samples; those inside the interval stand out. */
export function differenceChart({ means, low, high }: BootstrapResult): Markup {
  const [least, most] = [means[0], means[means.length - 1]];
  const width = (most - least) / 30 || 1;
  const counts = new Array<number>(30).fill(0);
  for (const mean of means) counts[Math.min(29, Math.floor((mean - least) / width))]++;
  const middles = counts.map((_, i) => least + (i + 0.5) * width);
  const inside = (middle: number) => middle >= low && middle <= high;
  return chart("Bar chart: the mean F1 difference in the samples of the bootstrap", 240, ({ narrow }) => ({
    grid: { left: 56, right: 16, top: 12, bottom: 48 },
    xAxis: axis({ type: "category", data: middles.map((middle) => (100 * middle).toFixed(1)), name: "difference of mean F1", axisLabel: { interval: narrow ? 9 : 4 } }),
    yAxis: axis({ type: "value", name: "samples", gap: 42 }),
    series: [
      { type: "bar", barCategoryGap: "6%", data: counts.map((count, i) => ({ value: count, itemStyle: { color: inside(middles[i]) ? colors.first : colors.third } })) },
    ],
  }));
}

/** Groups of a breakdown that a chart can show: all, or the first so many where there are more. */
export function chartable(groups: readonly Group[]): Group[] {
  return groups.slice(0, 24);
}
