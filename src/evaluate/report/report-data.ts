/** Everything that a report says, computed once: the page, the CSV and the parquet files are views of it. */
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
import { type Interval, summarise, type Summary, wilsonInterval } from "../statistics.js";

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
  beforeSource?: string;
  metrics: MetricRow[];
  /** 95% intervals of mean EM and F1, from 0 to 1. */
  exactInterval: Interval;
  f1Interval: Interval;
  /** In the order of the examples. */
  results: ExampleResult[];
  /** Indices of the results from the worst to the best: by F1, then EM, and of equal ones the surest mistake first. */
  order: number[];
  summaries: { name: string; summary: Summary }[];
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
  return {
    name: model.name,
    facts,
    beforeSource: before?.source,
    metrics: metricRows(model.metrics, before?.metrics, compare?.metrics),
    exactInterval: wilsonInterval(mean("exact"), results.length),
    f1Interval: wilsonInterval(mean("f1"), results.length),
    results,
    order: worstFirst(results),
    summaries: summaries(results),
    outcomes: countOutcomes(results),
    breakdowns: breakdowns(results),
    calibration: calibration(
      results.map(({ probability }) => probability),
      results.map(({ exact }) => exact),
    ),
    ...(nullThreshold !== undefined && { nullThreshold, precisionRecall: curves(results) }),
    ...(compare && { comparison: compareWith(results, compare.name, exampleResults(examples, compare.answers, { nullThreshold, pipeline: compare.pipeline }), seed) }),
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

function worstFirst(results: readonly ExampleResult[]): number[] {
  return results
    .map((_, index) => index)
    .sort((a, b) => {
      const [left, right] = [results[a], results[b]];
      return left.f1 - right.f1 || left.exact - right.exact || right.probability - left.probability || a - b;
    });
}

function summaries(results: readonly ExampleResult[]): Report["summaries"] {
  const of = (name: string, values: number[]) => ({ name, summary: summarise(values) });
  return [
    of("F1", results.map(({ f1 }) => 100 * f1)),
    of("exact match", results.map(({ exact }) => 100 * exact)),
    of("score (probability)", results.map(({ probability }) => probability)),
    of("null odds", results.map(({ nullOdds }) => nullOdds)),
    of("question (words)", results.map(({ example }) => wordCount(example.question))),
    of("context (words)", results.map(({ example }) => wordCount(example.context))),
    of("gold answer (words)", results.flatMap(({ example }) => example.answers.slice(0, 1).map(({ text }) => wordCount(text)))),
    of("prediction (words)", results.map(({ prediction }) => wordCount(prediction))),
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
