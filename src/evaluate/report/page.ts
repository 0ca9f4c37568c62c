/**
 * The report as one page that needs nothing but itself: style, script, charts and examples stand in it, and its content security policy allows
 * no other script and no request. Each chart has its figures in a table beside it.
 */
import { createHash } from "node:crypto";
import type { Breakdown } from "../breakdowns.js";
import { outcomes } from "../outcome.js";
import type { Interval } from "../statistics.js";
import { breakdownChart, chartable, differenceChart, f1Bins, f1Chart, outcomeChart, precisionRecallChart, reliabilityChart, scoreChart } from "./charts.js";
import { html, type Markup, scriptJson } from "./html.js";
import { shownExamples } from "./page-examples.js";
import { pageScript } from "./page-script.js";
import { pageStyle } from "./page-style.js";
import type { Comparison, MetricRow, Report } from "./report-data.js";

const decimals = (value: number, digits: number) => value.toFixed(digits).replace(/^-(?!0\.?0*$)/, "−").replace("-", "");
const percent = (share: number, digits = 1) => decimals(100 * share, digits);
const range = ({ low, high }: Interval) => `${percent(low)}–${percent(high)}`;
const count = (value: number) => value.toLocaleString("en-US");
const signed = (value: number, digits: number) => (value > 0 ? "+" : "") + decimals(value, digits);

/** The page as an HTML document. */
export function reportPage(report: Report): string {
  const shown = shownExamples(report);
  const sections = [
    ["overview", "Overview", overview(report)],
    ["distributions", "Distributions", distributions(report)],
    ["errors", "Errors", errors(report)],
    ["breakdowns", "Breakdowns", html`${report.breakdowns.map(breakdown)}`],
    ...(report.precisionRecall ? ([["threshold", "Null threshold", nullThreshold(report)]] as const) : []),
    ["calibration", "Calibration", calibrationSection(report)],
    ...(report.comparison ? ([["comparison", "Side by side", comparisonSection(report, report.comparison)]] as const) : []),
    ["examples", "Examples", examplesSection(report, shown.examples.length)],
  ] as const;
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-${createHash("sha256").update(pageScript).digest("base64")}'; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Evaluation of ${report.name}</title>
`;
  const body = html`</head>
<body>
<header><div><h1>Evaluation of ${report.name}</h1><p class="muted">${count(report.results.length)} questions${Object.entries(report.facts).map(([name, value]) => html` · ${name}: ${value}`)}</p></div><button id="theme" type="button" hidden></button></header>
<nav aria-label="Sections"><ul>${sections.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
<main>${sections.map(([id, title, content]) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${content}</section>
`)}</main>
<footer>Intervals hold 95%. Those of means are Wilson's, taken as for shares, which for F1 is on the safe side. Everything here stands in the CSV and parquet files beside this page.</footer>
`;
  const data = scriptJson({
    ...shown,
    outcomes: Object.fromEntries(Object.entries(outcomes).map(([name, { title }]) => [name, title])),
    names: [report.name, report.comparison?.name ?? ""],
  });
  return `${page.text}<style>${pageStyle}</style>\n${body.text}<script type="application/json" id="data">${data.text}</script>\n<script>${pageScript}</script>\n</body>\n</html>\n`;
}

type Cell = string | Markup;

/** A table with a caption; its first column names the rows. */
function table(caption: string, head: readonly string[], rows: readonly (readonly Cell[])[], textColumns: readonly number[] = []): Markup {
  const kind = (column: number) => (textColumns.includes(column) ? "text" : "");
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption>${caption}</caption>
<thead><tr>${head.map((name, column) => html`<th scope="col" class="${kind(column)}">${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, column) => (column === 0 ? html`<th scope="row" dir="auto" class="text">${cell}</th>` : html`<td class="${kind(column)}" dir="${kind(column) === "text" ? "auto" : "ltr"}">${cell}</td>`))}</tr>
`,
  )}</tbody></table></div>`;
}

function figure(drawing: Markup, caption: string): Markup {
  return html`<figure>${drawing}<figcaption>${caption}</figcaption></figure>`;
}

const folded = (summary: string, content: Markup) => html`<details><summary>${summary}</summary>${content}</details>`;

function card(name: string, value: string, note: string | Markup): Markup {
  return html`<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`;
}

const metricTitles: Record<string, string> = {
  loss: "loss",
  exact: "exact match (EM)",
  f1: "F1",
  total: "questions",
  HasAns_exact: "EM, questions with an answer",
  HasAns_f1: "F1, questions with an answer",
  HasAns_total: "questions with an answer",
  NoAns_exact: "EM, questions without an answer",
  NoAns_f1: "F1, questions without an answer",
  NoAns_total: "questions without an answer",
  best_exact: "EM at its best null threshold",
  best_exact_thresh: "best null threshold for EM",
  best_f1: "F1 at its best null threshold",
  best_f1_thresh: "best null threshold for F1",
  runtime: "runtime, s",
  samples_per_second: "windows per second",
};

function overview(report: Report): Markup {
  const row = (name: string) => report.metrics.find((metric) => metric.name === name);
  const change = (metric: MetricRow | undefined) =>
    metric?.before === undefined ? undefined : html`; ${signed(metric.value - metric.before, 1)} since before training`;
  const mean = (metric: "exact" | "f1") => report.results.reduce((sum, result) => sum + result[metric], 0) / report.results.length;
  const wrong = report.results.filter(({ exact }) => exact !== 1).length;
  const hasBefore = report.metrics.some(({ before }) => before !== undefined);
  const compared = report.comparison?.name;
  const figureOf = (name: string, value: number | undefined) =>
    value === undefined ? "" : name.endsWith("total") ? count(value) : decimals(value, name === "loss" ? 4 : 2);
  return html`<dl class="cards">
${card("Exact match", percent(mean("exact")), html`95%: ${range(report.exactInterval)}${change(row("exact"))}`)}
${card("F1", percent(mean("f1")), html`95%: ${range(report.f1Interval)}${change(row("f1"))}`)}
${card("Not exact", count(wrong), `of ${count(report.results.length)} questions`)}
${card("Calibration error", percent(report.calibration.expectedError), "expected, in points of probability")}
</dl>
${table(
    "Metrics",
    ["metric", ...(hasBefore ? ["before training"] : []), compared === undefined ? "value" : report.name, ...(hasBefore ? ["change"] : []), ...(compared === undefined ? [] : [compared])],
    report.metrics.map(({ name, before, value, compared: other }) => [
      metricTitles[name] ?? name,
      ...(hasBefore ? [figureOf(name, before)] : []),
      figureOf(name, value),
      ...(hasBefore ? [before === undefined || /total|runtime|per_second/.test(name) ? "" : signed(value - before, 2)] : []),
      ...(compared === undefined ? [] : [figureOf(name, other)]),
    ]),
  )}
${report.beforeSource === undefined ? html`<p class="note">No figures from before training: the model's folder has none. Name the untrained model with --baseline to measure them.</p>` : html`<p class="note">Before training: ${report.beforeSource}.</p>`}
<h3>Summary</h3>
${table(
    "What the columns of the examples are like",
    ["column", "count", "mean", "deviation", "min", "25%", "median", "75%", "max"],
    report.summaries.map(({ name, summary: { count: n, mean: average, deviation, min, lowerQuartile, median, upperQuartile, max } }) => [
      name,
      count(n),
      ...[average, deviation, min, lowerQuartile, median, upperQuartile, max].map((value) => decimals(value, 2)),
    ]),
  )}`;
}

function distributions({ results, calibration }: Report): Markup {
  const bins = f1Bins(results);
  return html`<div class="pair">
<div>${figure(f1Chart(results), "Questions by their F1: 0 and 100 by themselves, tenths between.")}
${folded("F1 as a table", table("Questions by F1", ["F1", "questions", "share"], bins.map((bin) => [bin.name, count(bin.count), `${percent(bin.count / results.length)}%`])))}</div>
<div>${figure(scoreChart(results, calibration), "Questions by the probability of what was answered.")}
${folded("Scores as a table", table("Questions by score", ["score", "questions", "exact matches"], calibration.bins.map((bin) => [`${bin.low}–${bin.high}`, count(bin.count), count(Math.round(bin.count * bin.accuracy))])))}</div>
</div>`;
}

function errors({ outcomes: counted }: Report): Markup {
  const shown = counted.filter((row) => row.count > 0 || !["not_answered", "should_not_answer"].includes(row.outcome));
  return html`${figure(outcomeChart(shown), "Questions by what became of them.")}
${table(
    "What became of the questions",
    ["outcome", "questions", "share"],
    shown.map((row) => [html`${outcomes[row.outcome].title}<small>${outcomes[row.outcome].meaning}</small>`, count(row.count), `${percent(row.share)}%`]),
  )}`;
}

function breakdown(made: Breakdown): Markup {
  const shown = { ...made, groups: chartable(made.groups) };
  const more = made.groups.length - shown.groups.length;
  const rows = made.groups.map((group) => [group.name.replaceAll("_", " "), count(group.count), percent(group.exact), range(group.exactInterval), percent(group.f1), range(group.f1Interval)]);
  return html`<h3>By ${made.name}</h3><p class="note">${made.note}${more > 0 ? ` The chart shows the first ${shown.groups.length}, the table all.` : ""}</p>
${figure(breakdownChart(shown), `Mean F1 by ${made.name}; the lines are 95% intervals.`)}
${folded(`Table: ${count(made.groups.length)} groups, with numbers of questions`, table(`Scores by ${made.name}`, ["group", "n", "EM", "EM, 95%", "F1", "F1, 95%"], rows))}`;
}

function nullThreshold({ precisionRecall, nullThreshold: used }: Report): Markup {
  const { exact, f1 } = precisionRecall!;
  const threshold = (value: number) => (value === -Infinity ? "none answered" : decimals(value, 2));
  const steps = f1.points.map((_, i) => i).filter((i) => i % Math.max(1, Math.ceil(f1.points.length / 20)) === 0 || i === f1.points.length - 1);
  return html`<dl class="cards">
${card("Average precision, F1", percent(f1.averagePrecision), "pr_f1_ap of the official script")}
${card("Average precision, EM", percent(exact.averagePrecision), "pr_exact_ap of the official script")}
${card("Threshold used", decimals(used!, 2), "answered “” where the null odds are above")}
${card("Best for F1", threshold(f1.best.threshold), `F1 ${percent(f1.best.score)} there`)}
${card("Best for EM", threshold(exact.best.threshold), `EM ${percent(exact.best.score)} there`)}
</dl>
${figure(precisionRecallChart({ exact, f1 }), "Questions are answered from the surest on, by their null odds; each point is a threshold.")}
${folded("Points of the curve as a table", table("Precision and recall by null threshold (every so many points; all are in precision_recall.csv)", ["threshold", "precision, F1", "recall, F1", "precision, EM", "recall, EM"], steps.map((i) => [threshold(f1.points[i].threshold), percent(f1.points[i].precision), percent(f1.points[i].recall), percent(exact.points[i].precision), percent(exact.points[i].recall)])))}`;
}

function calibrationSection({ calibration }: Report): Markup {
  return html`<p>Of answers with a score of 0.8, eight in ten should be right. Expected calibration error: <strong>${percent(calibration.expectedError, 2)}</strong> points; largest in a bin: ${percent(calibration.largestError, 1)}.</p>
<div class="pair"><div>${figure(reliabilityChart(calibration), "Share of exact matches in each tenth of the score. Below the diagonal the reader is too sure of itself.")}</div>
<div>${table(
    "Calibration by score",
    ["score", "n", "mean score", "exact", "difference"],
    calibration.bins.map((bin) => [
      `${bin.low}–${bin.high}`,
      count(bin.count),
      ...(bin.count === 0 ? ["", "", ""] : [decimals(bin.confidence, 3), decimals(bin.accuracy, 3), signed(bin.accuracy - bin.confidence, 3)]),
    ]),
  )}</div></div>`;
}

/** Rows in the table of questions on which two models differ most, for each of the two. */
const mostDifferent = 10;

function comparisonSection(report: Report, { name, f1, exact, higher, equal, lower, results: others }: Comparison): Markup {
  const line = (title: string, { difference, low, high, shareBetter }: Comparison["f1"]) => [
    title,
    signed(100 * difference, 2),
    `${signed(100 * low, 2)} to ${signed(100 * high, 2)}`,
    `${percent(shareBetter)}%`,
  ];
  const differing = report.results
    .map((result, index) => ({ result, other: others[index], by: result.f1 - others[index].f1 }))
    .sort((a, b) => Math.abs(b.by) - Math.abs(a.by) || b.result.probability - a.result.probability);
  const apart = [1, -1].flatMap((sign) => differing.filter(({ by }) => Math.sign(by) === sign).slice(0, mostDifferent));
  const verdict = f1.low > 0 ? `${report.name} is better: the interval lies above 0.` : f1.high < 0 ? `${name} is better: the interval lies below 0.` : "The interval holds 0: on these questions the difference may be chance.";
  return html`<p>${report.name} less ${name}, on the same questions. <strong>${verdict}</strong> F1 is higher on ${count(higher)} questions, equal on ${count(equal)}, lower on ${count(lower)}.</p>
${table("Difference of means, paired bootstrap", ["metric", "difference", "95% interval", "samples above 0"], [line("F1", f1), line("EM", exact)])}
${figure(differenceChart(f1), `The mean difference in ${count(f1.means.length)} samples of the questions, drawn with replacement; the coloured bars lie in the 95% interval.`)}
<h3>Where they differ most</h3>
${table(
    "Questions with the largest difference of F1",
    ["question", "gold answer", report.name, name, "difference"],
    apart.map(({ result, other, by }) => [result.example.question, result.example.answers.at(0)?.text ?? "no answer", result.prediction || "no answer", other.prediction || "no answer", html`<span class="${by > 0 ? "up" : "down"}">${signed(100 * by, 1)}</span>`]),
    [1, 2, 3],
  )}`;
}

function examplesSection({ results, comparison, breakdowns, outcomes: counted }: Report, held: number): Markup {
  const groups = (name: Breakdown["name"]) => breakdowns.find((one) => one.name === name)?.groups ?? [];
  const option = (value: string, title: string) => html`<option value="${value}">${title}</option>`;
  const present = counted.filter(({ count: n }) => n > 0);
  return html`<p class="note">${held < results.length ? `The ${count(held)} worst and best of ${count(results.length)} questions; all are in examples.csv and examples.parquet.` : "All questions, from the worst to the best."}</p>
<ul class="legend"><li><mark class="gold">gold answer</mark></li><li><mark class="predicted">prediction</mark></li><li><mark class="gold predicted">both</mark></li>${comparison ? html`<li><mark class="other">${comparison.name}</mark></li>` : undefined}</ul>
<noscript><p>The list needs JavaScript; the same is in examples.csv.</p></noscript>
<div class="filters">
<label>Search<input id="search" type="search" placeholder="question, answer, context, id"></label>
<label>Outcome<select id="outcome">${option("", "all")}${option("any error", "any error")}${present.map(({ outcome, count: n }) => option(outcome, `${outcomes[outcome].title} (${count(n)})`))}</select></label>
<label>Question word<select id="word">${option("", "all")}${groups("question word").map(({ name }) => option(name, name))}</select></label>
<label>Article<select id="article">${option("", "all")}${groups("article").map(({ name }) => name).sort().map((name) => option(name, name.replaceAll("_", " ")))}</select></label>
<label>Order<select id="order">${option("worst", "worst first")}${option("best", "best first")}${option("sure", "surest mistakes first")}${comparison ? option("apart", "largest difference first") : undefined}</select></label>
</div>
<div class="pages"><button id="previous" type="button">Previous</button><span id="status" role="status" tabindex="-1"></span><button id="next" type="button">Next</button></div>
<ol class="examples" id="list"></ol>`;
}
