/**
 * The report as one page that needs nothing but itself: style, script, charts and examples stand in it, and its content security policy allows
 * no other script and no request. Each chart has its figures in a table beside it.
 */
import { createHash } from "node:crypto";
import type { Breakdown } from "../breakdowns.js";
import { isTechnical } from "../figure-names.js";
import { outcomes } from "../outcome.js";
import { describeSameSpan } from "../same-span.js";
import { breakdownChart, chartable, differenceChart, outcomeChart, precisionRecallChart, reliabilityChart } from "./charts.js";
import { html, type Markup, scriptJson } from "./html.js";
import { distributions } from "./page-distributions.js";
import { shownExamples } from "./page-examples.js";
import { card, count, decimals, figure, figures, folded, percent, range, signed, table } from "./page-parts.js";
import { pageScript } from "./page-script.js";
import { pageStyle } from "./page-style.js";
import { type OrderName, orderTitles } from "./orders.js";
import type { Comparison, MetricRow, Report } from "./report-data.js";

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
    ["examples", "Examples", examplesSection(report, shown.examples.length, shown.complete)],
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
<footer>Intervals hold 95%. Those of means are Wilson's, taken as for shares, which for F1 is on the safe side; ends of intervals among the metrics are the bootstrap's. Everything here stands in the CSV and parquet files beside this page.</footer>
`;
  const data = scriptJson({
    ...shown,
    total: report.results.length,
    outcomes: Object.fromEntries(Object.entries(outcomes).map(([name, { title }]) => [name, title])),
    names: [report.name, report.comparison?.name ?? ""],
  });
  return `${page.text}<style>${pageStyle}</style>\n${body.text}<script type="application/json" id="data">${data.text}</script>\n<script>${pageScript}</script>\n</body>\n</html>\n`;
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
  plain_exact: "equal as plain texts, %",
  unigram_f1: "F1 of sets of words",
  levenshtein_distance: "Levenshtein distance, characters",
  levenshtein_similarity: "Levenshtein similarity, %",
  exact_low: "EM, low end of the interval",
  exact_high: "EM, high end of the interval",
  f1_low: "F1, low end of the interval",
  f1_high: "F1, high end of the interval",
  runtime: "runtime, s",
  samples: "questions",
  windows: "windows",
  questions_cut: "questions read in part",
  samples_per_second: "windows per second",
  steps_per_second: "batches per second",
  model_preparation_time: "opening the model, s",
  latency_median_ms: "latency of a question, median, ms",
  latency_p99_ms: "latency of a question, 99%, ms",
};

const isCount = (metric: string): boolean => /total$|^(?:samples|windows|questions_cut)$/.test(metric);

function overview(report: Report): Markup {
  const row = (name: string) => report.metrics.find((metric) => metric.name === name);
  const isComparable = report.before?.isComparable ?? false;
  const change = (metric: MetricRow | undefined) =>
    metric?.before === undefined || !isComparable ? undefined : html`; ${signed(metric.value - metric.before, 1)} since before training`;
  const mean = (metric: "exact" | "f1") => report.results.reduce((sum, result) => sum + result[metric], 0) / report.results.length;
  const wrong = report.results.filter(({ exact }) => exact !== 1).length;
  const hasBefore = report.metrics.some(({ before }) => before !== undefined);
  const compared = report.comparison?.name;
  const figureOf = (name: string, value: number | undefined) =>
    value === undefined ? "" : isCount(name) ? count(value) : decimals(value, name === "loss" ? 4 : 2);
  const changes = hasBefore && isComparable;
  return html`${report.sameSpans.map(({ name, same }) => html`<p class="warning"><strong>${name}</strong> ${describeSameSpan(same)}</p>`)}
<dl class="cards">
${card("Exact match", percent(mean("exact")), html`95%: ${range(report.exactInterval)}${change(row("exact"))}`)}
${card("F1", percent(mean("f1")), html`95%: ${range(report.f1Interval)}${change(row("f1"))}`)}
${card("Not exact", count(wrong), `of ${count(report.results.length)} questions`)}
${card("Calibration error", percent(report.calibration.expectedError), "expected, in points of probability")}
</dl>
${table(
    "Metrics",
    [
      "metric",
      ...(hasBefore ? [isComparable ? "before training" : "before training, on other questions"] : []),
      compared === undefined ? "value" : report.name,
      ...(changes ? ["change"] : []),
      ...(compared === undefined ? [] : [compared]),
    ],
    report.metrics.map(({ name, before, value, compared: other }) => [
      metricTitles[name] ?? name,
      ...(hasBefore ? [figureOf(name, before)] : []),
      figureOf(name, value),
      ...(changes ? [before === undefined || isCount(name) || (isTechnical(name) && name !== "loss") ? "" : signed(value - before, 2)] : []),
      ...(compared === undefined ? [] : [figureOf(name, other)]),
    ]),
  )}
${beforeNote(report)}
<h3>Summary</h3>
${table(
    "What the columns of the examples are like; shares and scores from 0 to 1",
    ["column", ...(compared === undefined ? [] : ["model"]), "count", "mean", "deviation", "min", "25%", "median", "75%", "max"],
    report.summaries.map(({ name, model, summary: { count: n, mean: average, deviation, min, lowerQuartile, median, upperQuartile, max } }) => [
      name,
      ...(compared === undefined ? [] : [model ?? ""]),
      count(n),
      ...[average, deviation, min, lowerQuartile, median, upperQuartile, max].map(figures),
    ]),
    compared === undefined ? [] : [1],
  )}`;
}

function beforeNote({ before, results }: Report): Markup {
  if (before === undefined)
    return html`<p class="note">No figures from before training: the model's folder has none. Name the untrained model with --baseline to measure them.</p>`;
  if (before.isComparable) return html`<p class="note">Before training: ${before.source}, on the same ${count(results.length)} questions.</p>`;
  return html`<p class="note">Before training: ${before.source}, measured on ${before.measuredOn}; these are ${count(results.length)} others, so no change is given. Name the untrained model with --baseline to measure it on the same questions.</p>`;
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

function examplesSection(report: Report, held: number, complete: Partial<Record<OrderName, number>>): Markup {
  const { results, comparison, breakdowns, outcomes: counted } = report;
  const groups = (name: Breakdown["name"]) => breakdowns.find((one) => one.name === name)?.groups ?? [];
  const option = (value: string, title: string) => html`<option value="${value}">${title}</option>`;
  const present = counted.filter(({ count: n }) => n > 0);
  return html`<p class="note">${held < results.length ? `${count(held)} of ${count(results.length)} questions: of every order the first, without a gap; filters search these. All are in examples.csv and examples.parquet.` : "All questions."} No. is the place in the data.</p>
<ul class="legend"><li><mark class="gold">gold answer</mark></li><li><mark class="predicted">prediction</mark></li><li><mark class="gold predicted">both</mark></li>${comparison ? html`<li><mark class="other">${comparison.name}</mark></li>` : undefined}</ul>
<noscript><p>The list needs JavaScript; the same is in examples.csv.</p></noscript>
<div class="filters">
<label>Search<input id="search" type="search" placeholder="question, answer, context, id"></label>
<label>Outcome<select id="outcome">${option("", "all")}${option("any error", "any error")}${present.map(({ outcome, count: n }) => option(outcome, `${outcomes[outcome].title} (${count(n)})`))}</select></label>
<label>Question word<select id="word">${option("", "all")}${groups("question word").map(({ name }) => option(name, name))}</select></label>
<label>Article<select id="article">${option("", "all")}${groups("article").map(({ name }) => name).sort().map((name) => option(name, name.replaceAll("_", " ")))}</select></label>
<label>Order<select id="order">${(Object.keys(complete) as OrderName[]).map((name) => option(name, orderTitles[name]))}</select></label>
</div>
<div class="pages"><button id="previous" type="button">Previous</button><span id="status" role="status" tabindex="-1"></span><button id="next" type="button">Next</button></div>
<ol class="examples" id="list"></ol>`;
}
