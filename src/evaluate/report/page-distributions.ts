/** The section of the page that shows how F1, scores and distances are distributed: histograms, with box plots beside them. */
import type { ExampleResult } from "../example-results.js";
import { boxOf } from "../statistics.js";
import { boxChart, type BoxRow, distanceChart, distanceStep, f1Bins, f1Chart, scoreChart } from "./charts.js";
import { html, type Markup } from "./html.js";
import { count, figure, figures, folded, percent, table } from "./page-parts.js";
import type { Report } from "./report-data.js";

export function distributions({ name, results, calibration, comparison }: Report): Markup {
  const bins = f1Bins(results);
  const models = [{ name, results }, ...(comparison ? [comparison] : [])];
  const rows = (title: string, value: (result: ExampleResult) => number | undefined): BoxRow[] =>
    models.flatMap(({ name: model, results: own }) => {
      const values = own.map(value).filter((one) => one !== undefined);
      return values.length === 0 ? [] : [{ name: title, model, values }];
    });
  const f1Rows = rows("all", ({ f1 }) => 100 * f1);
  const scoreRows = [
    ...rows("exact match", ({ exact, probability }) => (exact === 1 ? probability : undefined)),
    ...rows("not exact", ({ exact, probability }) => (exact === 1 ? undefined : probability)),
    ...rows("pipeline", ({ pipeline }) => pipeline?.score),
  ];
  const distanceRows = rows("all", ({ text }) => text.distance);
  const every = distanceStep(results.length);
  return html`<div class="pair">
<div>${figure(f1Chart(results), "Questions by their F1: 0 and 100 by themselves, tenths between.")}
${folded("F1 as a table", table("Questions by F1", ["F1", "questions", "share"], bins.map((bin) => [bin.name, count(bin.count), `${percent(bin.count / results.length)}%`])))}</div>
<div>${figure(scoreChart(results, calibration), "Questions by the probability of what was answered.")}
${folded("Scores as a table", table("Questions by score", ["score", "questions", "exact matches"], calibration.bins.map((bin) => [`${bin.low}–${bin.high}`, count(bin.count), count(Math.round(bin.count * bin.accuracy))])))}</div>
<div>${figure(boxChart("Box plot: F1 of the questions", "F1 of a question", f1Rows, 100), boxCaption("F1"))}
${boxTable("F1", f1Rows)}</div>
<div>${figure(boxChart("Box plot: scores of exact matches and of other answers", "score", scoreRows), `${boxCaption("Scores")} “pipeline” is the score that transformers' pipeline gives.`)}
${boxTable("Scores", scoreRows)}</div>
<div>${figure(distanceChart(models), `Levenshtein distance of the prediction to the first gold answer, question by question${every > 1 ? `; a point is the mean of ${every}` : ""}.`)}</div>
<div>${figure(boxChart("Box plot: Levenshtein distances", "characters", distanceRows), boxCaption("Levenshtein distances"))}
${boxTable("Levenshtein distances", distanceRows)}</div>
</div>`;
}

const boxCaption = (what: string): string =>
  `${what}: the box holds the middle half, its line is the median; whiskers reach at most 1.5 boxes further, and points are what lies beyond.`;

function boxTable(what: string, rows: readonly BoxRow[]): Markup {
  const cells = rows.map(({ name, model, values }) => {
    const { low, lowerQuartile, median, upperQuartile, high, outliers } = boxOf(values);
    return [`${name}, ${model}`, count(values.length), ...[low, lowerQuartile, median, upperQuartile, high].map(figures), count(outliers.length)];
  });
  return folded(`${what} as a table`, table(`${what}: boxes`, ["answers", "n", "whisker", "25%", "median", "75%", "whisker", "beyond"], cells));
}
