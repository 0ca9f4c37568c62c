/** Everything that a report says, computed once: the page, the CSV and the parquet files are views of it. */
import { dataIdentity } from "../../data/data-identity.js";
import type { QaExample } from "../../data/examples.js";
import type { Answer } from "../../tasks/extractive/answer-spans.js";
import type { DecodedAnswers } from "../../tasks/extractive/decode.js";
import type { BaselineFigures } from "../baseline-figures.js";
import { type BootstrapResult, pairedBootstrap } from "../bootstrap.js";
import { type Breakdown, breakdowns, wordCount } from "../breakdowns.js";
import { type Calibration, calibration } from "../calibration.js";
import { type ExampleResult, exampleResults } from "../example-results.js";
import { type Outcome, outcomes } from "../outcome.js";
import { type PrecisionRecall, precisionRecall } from "../precision-recall.js";
import { sameSpan, type SameSpan } from "../same-span.js";
import { type Interval, summarise, type Summary, wilsonInterval } from "../statistics.js";
import { type OrderName, reportOrders } from "./orders.js";

/** A model's answers to the questions of a report; `evaluateModel` makes it. */
export interface EvaluatedModel {
  /** What the report calls it. */
  readonly name: string;
  /** By the names of an evaluation: loss, exact, f1, … */
  readonly metrics: Readonly<Record<string, number>>;
  readonly answers: DecodedAnswers;
  /** What transformers' pipeline would answer, by example id; left out, the report says nothing of it. */
  readonly pipeline?: ReadonlyMap<string, Answer>;
}

export interface ReportInput {
  readonly examples: readonly QaExample[];
  readonly model: EvaluatedModel;
  /** What it scored before it was trained, and where that was read or measured. */
  readonly before?: BaselineFigures;
  /** A second model to set beside it: its answers to the same questions. */
  readonly compare?: EvaluatedModel;
  /** As the answers were decoded with: undefined for SQuAD 1.1. */
  readonly nullThreshold?: number;
  /** Shown at the top: the data, the settings. */
  readonly facts?: Readonly<Record<string, string>>;
  /** Of the bootstrap. Default 42. */
  readonly seed?: number;
}

export interface Before {
  source: string;
  /** Whether it was measured on these questions: only then is a difference one that training made. */
  isComparable: boolean;
  /** What the figures were measured on, for a person. */
  measuredOn: string;
}

export interface SummaryRow {
  name: string;
  /** The model whose column it is; undefined where the column is of the data. */
  model?: string;
  summary: Summary;
}

export interface MetricRow {
  name: string;
  before?: number;
  value: number;
  compared?: number;
}

export interface Comparison {
  name: string;
  /** Differences are this model's scores less the other's, from −1 to 1. */
  f1: BootstrapResult;
  exact: BootstrapResult;
  /** Questions on which this model's F1 is higher, equal and lower. */
  higher: number;
  equal: number;
  lower: number;
  /** The other model's results, in the order of the examples. */
  results: ExampleResult[];
}

export interface Report {
  name: string;
  facts: Readonly<Record<string, string>>;
  before?: Before;
  metrics: MetricRow[];
  /** 95% intervals of mean EM and F1, from 0 to 1. */
  exactInterval: Interval;
  f1Interval: Interval;
  /** In the order of the examples. */
  results: ExampleResult[];
  /** Indices of the results. */
  orders: Partial<Record<OrderName, number[]>> & { worst: number[] };
  /** Of both models where there are two. Shares and scores are from 0 to 1. */
  summaries: SummaryRow[];
  /** Models that say one thing to nearly everything. */
  sameSpans: { name: string; same: SameSpan }[];
  outcomes: { outcome: Outcome; count: number; share: number }[];
  breakdowns: Breakdown[];
  calibration: Calibration;
  /** Only for data with unanswerable questions. */
  precisionRecall?: { exact: PrecisionRecall; f1: PrecisionRecall };
  nullThreshold?: number;
  comparison?: Comparison;
}

/** Computes a report. */
export function buildReport({ examples, model, before, compare, nullThreshold, facts = {}, seed }: ReportInput): Report {
  const results = exampleResults(examples, model.answers, { nullThreshold, pipeline: model.pipeline });
  const mean = (metric: "exact" | "f1") => results.reduce((sum, result) => sum + result[metric], 0) / results.length;
  const comparison =
    compare && compareWith(results, compare.name, exampleResults(examples, compare.answers, { nullThreshold, pipeline: compare.pipeline }), seed);
  const models = [{ name: model.name, results }, ...(comparison ? [{ name: comparison.name, results: comparison.results }] : [])];
  return {
    name: model.name,
    facts,
    ...(before && { before: beforeOf(before, examples) }),
    metrics: metricRows(model.metrics, before?.metrics, compare?.metrics),
    exactInterval: wilsonInterval(mean("exact"), results.length),
    f1Interval: wilsonInterval(mean("f1"), results.length),
    results,
    orders: reportOrders(results, comparison?.results),
    summaries: summaries(models),
    sameSpans: models.flatMap(({ name, results: own }) => {
      const same = sameSpan(own);
      return same === undefined ? [] : [{ name, same }];
    }),
    outcomes: countOutcomes(results),
    breakdowns: breakdowns(results),
    calibration: calibration(
      results.map(({ probability }) => probability),
      results.map(({ exact }) => exact),
    ),
    ...(nullThreshold !== undefined && { nullThreshold, precisionRecall: curves(results) }),
    ...(comparison && { comparison }),
  };
}

function metricRows(
  values: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>> = {},
  compared: Readonly<Record<string, number>> = {},
): MetricRow[] {
  return Object.entries(values).map(([name, value]) => ({
    name,
    ...(name in before && { before: before[name] }),
    value,
    ...(name in compared && { compared: compared[name] }),
  }));
}

function beforeOf({ source, data }: BaselineFigures, examples: readonly QaExample[]): Before {
  const isComparable = data?.sha256 === dataIdentity(examples).sha256;
  const questions = (count: number): string => `${count.toLocaleString("en-US")} questions`;
  const measuredOn =
    data === undefined
      ? "questions that the folder does not tell"
      : `${questions(data.questions)}${data.files.length > 0 ? ` of ${data.files.join(", ")}` : ""}`;
  return { source, isComparable, measuredOn };
}

/** One row a column and model; those of the data once. */
function summaries(models: readonly { name: string; results: readonly ExampleResult[] }[]): SummaryRow[] {
  const [{ results }] = models;
  const row = (name: string, value: (result: ExampleResult) => number | undefined): SummaryRow[] =>
    models.flatMap(({ name: model, results: own }) => {
      const values = own.map(value).filter((one) => one !== undefined);
      return values.length === 0 ? [] : [{ name, model, summary: summarise(values) }];
    });
  const ofData = (name: string, values: number[]): SummaryRow => ({ name, summary: summarise(values) });
  return [
    ...row("F1", ({ f1 }) => f1),
    ...row("exact match", ({ exact }) => exact),
    ...row("score (probability)", ({ probability }) => probability),
    ...row("score of transformers' pipeline", ({ pipeline }) => pipeline?.score),
    ...row("equal as plain texts", ({ text }) => text.plainExact),
    ...row("F1 of sets of words", ({ text }) => text.unigramF1),
    ...row("Levenshtein similarity", ({ text }) => text.similarity),
    ...row("Levenshtein distance (characters)", ({ text }) => text.distance),
    ...row("null odds", ({ nullOdds }) => nullOdds),
    ...row("prediction (words)", ({ prediction }) => wordCount(prediction)),
    ofData("question (words)", results.map(({ example }) => wordCount(example.question))),
    ofData("context (words)", results.map(({ example }) => wordCount(example.context))),
    ofData("gold answer (words)", results.flatMap(({ example }) => example.answers.slice(0, 1).map(({ text }) => wordCount(text)))),
  ];
}

function countOutcomes(results: readonly ExampleResult[]): Report["outcomes"] {
  return (Object.keys(outcomes) as Outcome[]).map((outcome) => {
    const count = results.filter((result) => result.outcome === outcome).length;
    return { outcome, count, share: count / results.length };
  });
}

function curves(results: readonly ExampleResult[]): Report["precisionRecall"] {
  const curve = (metric: "exact" | "f1") =>
    precisionRecall(
      results.map(({ example, nullOdds, unheld }) => ({ nullOdds, answerable: example.answers.length > 0, score: unheld[metric] })),
    );
  const [exact, f1] = [curve("exact"), curve("f1")];
  return exact && f1 && { exact, f1 };
}

function compareWith(results: readonly ExampleResult[], name: string, others: ExampleResult[], seed: number | undefined): Comparison {
  const bootstrap = (metric: "exact" | "f1") =>
    pairedBootstrap(
      results.map((result) => result[metric]),
      others.map((result) => result[metric]),
      { seed },
    );
  const signs = results.map((result, i) => Math.sign(result.f1 - others[i].f1));
  const count = (sign: number) => signs.filter((one) => one === sign).length;
  return { name, f1: bootstrap("f1"), exact: bootstrap("exact"), higher: count(1), equal: count(0), lower: count(-1), results: others };
}
