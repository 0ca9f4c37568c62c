/**
 * Metrics that a program adds. Each is a figure of every evaluation from then on, beside exact match and F1: `eval_NAME` in logs,
 * trainer_state.json and TensorBoard, a name for metric_for_best_model, a line of `evaluateModel` and of the report.
 */
import { LecternError } from "../errors.js";
import { describeValue } from "../text/describe-value.js";
import type { ExampleResult } from "./example-results.js";
import { isTechnical } from "./figure-names.js";

/** A metric is the mean of a number for each question, or one number of them all. */
export type Metric = {
  /** Its figure's name, without `eval_`: letters, digits and underscores. One that ends in `loss` is better when it is less. */
  readonly name: string;
} & (
  | {
      /** Of one question, in the metric's own unit (SQuAD's figures are in percent). */
      readonly perQuestion: (result: ExampleResult) => number;
      readonly overall?: never;
    }
  | { readonly overall: (results: readonly ExampleResult[]) => number | Promise<number>; readonly perQuestion?: never }
);

/** Names of figures that evaluations have of their own. */
const taken =
  /^(?:(?:HasAns_|NoAns_|best_|plain_|baseline_|eval_|train_).*|(?:exact|f1)(?:_low|_high)?|exact_match|total|unigram_f1|levenshtein_.*|epoch|step)$/;
const metrics = new Map<string, Metric>();

/**
 * Adds a metric to all evaluations of this process that begin later.
 * @returns a function that takes it away again
 * @throws LecternError EXTENSION_INVALID where the name is taken, or is no name of a figure
 * @example
 * registerMetric({ name: "long_answers", perQuestion: ({ prediction }) => (prediction.length > 50 ? 100 : 0) });
 * await train("recipe.yaml", { overrides: ["metric_for_best_model=long_answers", "greater_is_better=false"] });
 */
export function registerMetric(metric: Metric): () => void {
  const { name } = metric;
  const isName = /^[A-Za-z]\w*$/.test(name);
  if (!isName || taken.test(name) || isTechnical(name) || metrics.has(name)) {
    throw new LecternError("EXTENSION_INVALID", {
      message: `A metric cannot be called ${JSON.stringify(name)}.`,
      expected: "a name of its own of letters, digits and underscores, without eval_ before it",
      received: isName ? "the name of another figure" : describeValue(name),
    });
  }
  if (typeof (metric.perQuestion ?? metric.overall) !== "function" || (metric.perQuestion !== undefined && metric.overall !== undefined)) {
    throw new LecternError("EXTENSION_INVALID", {
      message: `The metric ${name} does not say how it is computed.`,
      expected: "either perQuestion or overall, a function",
      received: describeValue(metric),
    });
  }
  metrics.set(name, metric);
  return () => void (metrics.get(name) === metric && metrics.delete(name));
}

/** The names of the metrics that were added. */
export function ownMetricNames(): string[] {
  return [...metrics.keys()];
}

/**
 * The figures of the metrics that were added, by their names.
 * @param results asked for only where there are such metrics
 * @throws LecternError METRIC_VALUE where one is not a finite number; whatever a metric throws
 */
export async function ownFigures(results: () => readonly ExampleResult[]): Promise<Record<string, number>> {
  if (metrics.size === 0) return {};
  const all = results();
  const figures: Record<string, number> = {};
  for (const metric of metrics.values()) {
    const { name, perQuestion } = metric;
    figures[name] =
      perQuestion === undefined
        ? finite(name, await metric.overall(all), "all questions")
        : all.reduce((sum, result) => sum + finite(name, perQuestion(result), `the question ${result.example.id}`), 0) / all.length;
  }
  return figures;
}

function finite(name: string, value: number, of: string): number {
  if (Number.isFinite(value)) return value;
  throw new LecternError("METRIC_VALUE", {
    message: `The metric ${name} of ${of} is not a finite number.`,
    expected: "a number, which files of results and logs can hold",
    received: describeValue(value),
  });
}
