/** The figure by which models are compared: which of an evaluation's it is, and which end of it is the better one. */
import { LecternError } from "../errors.js";

/** Whether more of a metric is better, judged by its name as transformers does. */
export function moreIsBetter(metric: string): boolean {
  return !metric.endsWith("loss");
}

/**
 * The metric of an evaluation, named with or without `eval_`.
 * @param told what a person reads where the evaluation does not give it
 * @throws LecternError METRIC_UNKNOWN
 */
export function chosenMetric(metrics: Readonly<Record<string, number>>, metric: string, told: { message: string; next: string }): number {
  const name = `eval_${metric.replace(/^eval_/, "")}`;
  if (name in metrics) return metrics[name];
  const known = Object.keys(metrics).map((key) => key.replace(/^eval_/, ""));
  throw new LecternError("METRIC_UNKNOWN", { ...told, expected: known.join(", "), received: metric });
}
