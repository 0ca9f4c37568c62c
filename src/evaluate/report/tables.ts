/** A report as tables of plain columns, one file each: what CSV and parquet hold. Scores of single questions are from 0 to 1, metrics in percent. */
import { answerPosition, wordCount } from "../breakdowns.js";
import type { ExampleResult } from "../example-results.js";
import { questionWord } from "../question-word.js";
import type { PrecisionRecall } from "../precision-recall.js";
import type { Report } from "./report-data.js";

export interface Column {
  name: string;
  type: "STRING" | "DOUBLE" | "INT32";
  /** undefined where a row has none. */
  values: (string | number | undefined)[];
}

export interface Table {
  /** The files' name without extension. */
  name: string;
  columns: Column[];
}

/** All tables of a report. */
export function reportTables(report: Report): Table[] {
  return [
    examplesTable(report),
    metricsTable(report),
    summaryTable(report),
    outcomesTable(report),
    breakdownsTable(report),
    calibrationTable(report),
    ...(report.precisionRecall ? [precisionRecallTable(report.precisionRecall)] : []),
    ...(report.comparison ? [comparisonTable(report.comparison)] : []),
  ];
}

/** A column from rows, so that a table reads as its list of columns. */
function columnsOf<T>(rows: readonly T[]) {
  const column =
    (type: Column["type"]) =>
    (name: string, value: (row: T) => string | number | undefined): Column => ({ name, type, values: rows.map(value) });
  return { text: column("STRING"), number: column("DOUBLE"), count: column("INT32") };
}

/** One row a question, from the worst to the best. */
function examplesTable({ results, orders, comparison }: Report): Table {
  const rows = orders.worst.map((index) => ({ ...results[index], number: index + 1, other: comparison?.results[index] }));
  const { text, number, count } = columnsOf<ExampleResult & { number: number; other: ExampleResult | undefined }>(rows);
  const columns = [
    text("id", ({ example }) => example.id),
    count("number", (row) => row.number),
    text("title", ({ example }) => example.title),
    text("question", ({ example }) => example.question),
    text("context", ({ example }) => example.context),
    text("gold_answers", ({ example }) => JSON.stringify(example.answers.map((answer) => answer.text))),
    text("prediction", ({ prediction }) => prediction),
    count("prediction_start", ({ span }) => span?.start),
    count("prediction_end", ({ span }) => span?.end),
    number("exact", ({ exact }) => exact),
    number("f1", ({ f1 }) => f1),
    number("score", ({ probability }) => probability),
    number("null_odds", ({ nullOdds }) => nullOdds),
    number("plain_exact", (row) => row.text.plainExact),
    number("unigram_f1", (row) => row.text.unigramF1),
    count("levenshtein_distance", (row) => row.text.distance),
    number("levenshtein_similarity", (row) => row.text.similarity),
    text("outcome", ({ outcome }) => outcome),
    text("question_word", ({ example }) => questionWord(example.question)),
    count("question_words", ({ example }) => wordCount(example.question)),
    count("context_words", ({ example }) => wordCount(example.context)),
    count("gold_answer_words", ({ example }) => (example.answers.length === 0 ? undefined : wordCount(example.answers[0].text))),
    count("prediction_words", ({ prediction }) => wordCount(prediction)),
    number("answer_position", ({ example }) => answerPosition(example)),
  ];
  if (results.some(({ pipeline }) => pipeline !== undefined)) {
    columns.push(
      text("pipeline_prediction", ({ pipeline }) => pipeline?.answer),
      number("pipeline_score", ({ pipeline }) => pipeline?.score),
    );
  }
  if (comparison) {
    columns.push(
      text("compared_prediction", ({ other }) => other?.prediction),
      number("compared_exact", ({ other }) => other?.exact),
      number("compared_f1", ({ other }) => other?.f1),
      number("compared_score", ({ other }) => other?.probability),
      number("compared_plain_exact", ({ other }) => other?.text.plainExact),
      number("compared_unigram_f1", ({ other }) => other?.text.unigramF1),
      count("compared_levenshtein_distance", ({ other }) => other?.text.distance),
      number("compared_levenshtein_similarity", ({ other }) => other?.text.similarity),
      number("compared_pipeline_score", ({ other }) => other?.pipeline?.score),
      text("compared_outcome", ({ other }) => other?.outcome),
      number("f1_difference", ({ f1, other }) => other && f1 - other.f1),
    );
  }
  return { name: "examples", columns };
}

function metricsTable({ metrics }: Report): Table {
  const { text, number } = columnsOf(metrics);
  return {
    name: "metrics",
    columns: [
      text("metric", ({ name }) => name),
      number("before", ({ before }) => before),
      number("value", ({ value }) => value),
      number("compared", ({ compared }) => compared),
    ],
  };
}

function summaryTable({ summaries }: Report): Table {
  const { text, number, count } = columnsOf(summaries);
  return {
    name: "summary",
    columns: [
      text("column", ({ name }) => name),
      text("model", ({ model }) => model),
      count("count", ({ summary }) => summary.count),
      number("mean", ({ summary }) => summary.mean),
      number("deviation", ({ summary }) => summary.deviation),
      number("min", ({ summary }) => summary.min),
      number("lower_quartile", ({ summary }) => summary.lowerQuartile),
      number("median", ({ summary }) => summary.median),
      number("upper_quartile", ({ summary }) => summary.upperQuartile),
      number("max", ({ summary }) => summary.max),
    ],
  };
}

function outcomesTable({ outcomes }: Report): Table {
  const { text, number, count } = columnsOf(outcomes);
  return {
    name: "outcomes",
    columns: [text("outcome", ({ outcome }) => outcome), count("count", (row) => row.count), number("share", ({ share }) => share)],
  };
}

function breakdownsTable({ breakdowns }: Report): Table {
  const rows = breakdowns.flatMap(({ name, groups }) => groups.map((group) => ({ breakdown: name, ...group })));
  const { text, number, count } = columnsOf(rows);
  return {
    name: "breakdowns",
    columns: [
      text("breakdown", ({ breakdown }) => breakdown),
      text("group", ({ name }) => name),
      count("count", (row) => row.count),
      number("exact", ({ exact }) => exact),
      number("exact_low", ({ exactInterval }) => exactInterval.low),
      number("exact_high", ({ exactInterval }) => exactInterval.high),
      number("f1", ({ f1 }) => f1),
      number("f1_low", ({ f1Interval }) => f1Interval.low),
      number("f1_high", ({ f1Interval }) => f1Interval.high),
    ],
  };
}

function calibrationTable({ calibration }: Report): Table {
  const { number, count } = columnsOf(calibration.bins);
  return {
    name: "calibration",
    columns: [
      number("low", ({ low }) => low),
      number("high", ({ high }) => high),
      count("count", (bin) => bin.count),
      number("confidence", (bin) => (bin.count === 0 ? undefined : bin.confidence)),
      number("accuracy", (bin) => (bin.count === 0 ? undefined : bin.accuracy)),
    ],
  };
}

/** The curves of EM and F1 have their points at the same thresholds. */
function precisionRecallTable({ exact, f1 }: { exact: PrecisionRecall; f1: PrecisionRecall }): Table {
  const { number } = columnsOf(exact.points.map((point, i) => ({ exact: point, f1: f1.points[i] })));
  return {
    name: "precision_recall",
    columns: [
      number("threshold", (row) => (Number.isFinite(row.exact.threshold) ? row.exact.threshold : undefined)),
      number("exact_precision", (row) => row.exact.precision),
      number("exact_recall", (row) => row.exact.recall),
      number("f1_precision", (row) => row.f1.precision),
      number("f1_recall", (row) => row.f1.recall),
    ],
  };
}

function comparisonTable(comparison: NonNullable<Report["comparison"]>): Table {
  const { text, number } = columnsOf([
    { metric: "f1", ...comparison.f1 },
    { metric: "exact", ...comparison.exact },
  ]);
  return {
    name: "comparison",
    columns: [
      text("metric", ({ metric }) => metric),
      number("difference", ({ difference }) => difference),
      number("low", ({ low }) => low),
      number("high", ({ high }) => high),
      number("share_better", ({ shareBetter }) => shareBetter),
    ],
  };
}
