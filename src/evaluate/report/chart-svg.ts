/**
 * ECharts options as SVG inside a page: each chart is drawn for a wide and for a narrow screen, of which the page's style shows one, and its
 * colours are the page's CSS variables, so that it is light or dark as the page is. ECharts computes with colours while it draws, so it is
 * given colours that stand for the variables and are exchanged in what it has drawn.
 */
import { BarChart, BoxplotChart, CustomChart, LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { html, Markup } from "./html.js";

use([BarChart, BoxplotChart, CustomChart, LineChart, ScatterChart, GridComponent, LegendComponent, SVGRenderer]);

/** Colours that no chart draws by chance, and the variables of page-style.ts that they stand for. */
const variables = {
  "#010a01": "--ink",
  "#010a02": "--muted",
  "#010a03": "--line",
  "#010a04": "--chart-1",
  "#010a05": "--chart-2",
  "#010a06": "--chart-3",
  "#010a07": "--surface",
} as const;

export const colors = {
  ink: "#010a01",
  muted: "#010a02",
  line: "#010a03",
  first: "#010a04",
  second: "#010a05",
  third: "#010a06",
  surface: "#010a07",
} as const satisfies Record<string, keyof typeof variables>;

export interface ChartFrame {
  /** Pixels. */
  width: number;
  height: number;
  narrow: boolean;
}

/**
 * A chart in both widths. It says what it shows in `label`, for people who hear the page; the figures themselves stand in a table beside it.
 * @param height pixels, or a function of the frame where the narrow one needs more
 */
export function chart(label: string, height: number, optionOf: (frame: ChartFrame) => EChartsCoreOption): Markup {
  return html`${draw(label, "wide", { width: 1000, height, narrow: false }, optionOf)}${draw(label, "narrow", { width: 340, height, narrow: true }, optionOf)}`;
}

function draw(label: string, name: "wide" | "narrow", frame: ChartFrame, optionOf: (frame: ChartFrame) => EChartsCoreOption): Markup {
  const instance = init(null, null, { renderer: "svg", ssr: true, width: frame.width, height: frame.height });
  instance.setOption({
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif", color: colors.ink, fontSize: frame.narrow ? 11 : 12 },
    ...optionOf(frame),
  });
  const svg = instance.renderToSVGString();
  instance.dispose();
  const drawn = svg
    .replace(/^<svg[^>]*>/, "")
    .replace(/<rect width="\d+" height="\d+" x="0" y="0" fill="none"><\/rect>/, "")
    .replace(/#010a0[1-7]/g, (color) => `var(${variables[color as keyof typeof variables]})`);
  const open = html`<svg class="chart ${name}" role="img" aria-label="${label}" viewBox="0 0 ${frame.width} ${frame.height}" width="${frame.width}" height="${frame.height}">`;
  return new Markup(open.text + drawn);
}

const axisStyle = {
  axisLabel: { color: colors.muted },
  axisLine: { lineStyle: { color: colors.line } },
  axisTick: { lineStyle: { color: colors.line } },
  splitLine: { lineStyle: { color: colors.line } },
  nameTextStyle: { color: colors.muted },
};

/** An axis in the page's colours, its name in the middle beside it. */
export function axis(settings: Record<string, unknown> & { gap?: number }): Record<string, unknown> {
  const { gap = 30, axisLabel, ...others } = settings;
  return {
    nameLocation: "middle",
    nameGap: gap,
    ...axisStyle,
    axisLabel: { ...axisStyle.axisLabel, ...(axisLabel as object | undefined) },
    ...others,
  };
}

/** A legend above the chart. */
export const legend = { top: 0, left: 0, textStyle: { color: colors.ink }, itemWidth: 14, itemHeight: 10, itemGap: 32, selectedMode: false, icon: "roundRect" };
