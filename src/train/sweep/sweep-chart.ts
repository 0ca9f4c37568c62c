/**
 * The chart of a sweep as SVG: each trial's figure over the share of the training that it had, and over each setting that was varied. The latter are
 * the figures of the first rung, where all trials have trained alike.
 */
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { Parameters } from "./search-space.js";
import type { Trial } from "./sweep-state.js";

use([LineChart, ScatterChart, GridComponent, TitleComponent, SVGRenderer]);

const panel = { width: 380, height: 300, left: 64, right: 24, top: 56, bottom: 52 };
const [usual, winning] = ["#8aa6c4", "#c2452d"];

export interface SweepChart {
  metric: string;
  parameters: Parameters;
  trials: readonly Trial[];
  /** Number of the trial that is drawn above the others. */
  best: number;
}

/** @example await writeFile("sweep.svg", sweepSvg({ metric: "f1", parameters, trials, best: 3 })); */
export function sweepSvg({ metric, parameters, trials, best }: SweepChart): string {
  const shown = trials.filter(({ measured }) => measured.length > 0).sort((a, b) => Number(a.number === best) - Number(b.number === best));
  const names = Object.keys(parameters);
  const columns = Math.min(3, names.length + 1);
  const rows = Math.ceil((names.length + 1) / columns);
  const place = (index: number) => ({ x: (index % columns) * panel.width, y: Math.floor(index / columns) * panel.height });
  const all = limits(shown.flatMap(({ measured }) => measured.map(({ value }) => value)));
  const ofFirst = limits(shown.map(({ measured }) => measured[0].value));
  const color = (trial: Trial): string => (trial.number === best ? winning : usual);
  const titles = ["share of the training", ...names];
  const first = Math.max(...shown.map(({ measured: [{ step, total_steps }] }) => step / total_steps));
  const chart = init(null, null, { renderer: "svg", ssr: true, width: columns * panel.width, height: rows * panel.height });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: titles.map((text, index) => ({
      text: index === 0 ? `${metric} of ${shown.length} trials` : `${text}, after ${(100 * first).toFixed(0)} %`,
      textStyle: { fontSize: 14 },
      left: place(index).x + panel.left,
      top: place(index).y + 16,
    })),
    grid: titles.map((_, index) => ({
      left: place(index).x + panel.left,
      top: place(index).y + panel.top,
      width: panel.width - panel.left - panel.right,
      height: panel.height - panel.top - panel.bottom,
    })),
    xAxis: titles.map((name, index) => ({
      gridIndex: index,
      name,
      nameLocation: "middle",
      nameGap: 30,
      ...scaleOf(index === 0 ? undefined : parameters[name]),
    })),
    yAxis: titles.map((_, index) => ({
      gridIndex: index,
      type: "value",
      ...(index === 0 ? all : ofFirst),
      name: metric,
      nameLocation: "middle",
      nameGap: 42,
    })),
    series: [
      ...shown.map((trial) => ({
        type: "line",
        xAxisIndex: 0,
        yAxisIndex: 0,
        symbolSize: 7,
        color: color(trial),
        data: trial.measured.map(({ step, total_steps, value }) => [step / total_steps, value]),
      })),
      ...names.map((name, index) => ({
        type: "scatter",
        xAxisIndex: index + 1,
        yAxisIndex: index + 1,
        symbolSize: 9,
        data: shown.map((trial) => ({
          value: [Array.isArray(parameters[name]) ? String(trial.parameters[name]) : trial.parameters[name], trial.measured[0].value],
          itemStyle: { color: color(trial) },
        })),
      })),
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** An axis that holds the values, with a little room. */
function limits(values: readonly number[]): { min: number; max: number } {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = 0.05 * (most - least) || 1;
  return { min: Number((least - room).toPrecision(3)), max: Number((most + room).toPrecision(3)) };
}

/** The axis of a setting, or of the share of the training. */
function scaleOf(parameter: Parameters[string] | undefined): object {
  if (parameter === undefined) return { type: "value", min: 0, max: 1 };
  if (Array.isArray(parameter)) return { type: "category", data: [...new Set(parameter.map(String))] };
  return {
    type: parameter.scale === "log" ? "log" : "value",
    min: parameter.min,
    max: parameter.max,
    splitNumber: 3,
    axisLabel: { formatter: short, hideOverlap: true },
  };
}

function short(value: number): string {
  return value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e5) ? value.toExponential(0) : String(Number(value.toPrecision(3)));
}
