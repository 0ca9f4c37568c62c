/** The before/after table that a training ends with, from the figures of all_results.json. */
import { ownMetricNames } from "../evaluate/own-metrics.js";
import { formatDuration } from "../train/progress.js";
import { resultColors } from "./output.js";

const rows = [
  { name: "eval_loss", title: "evaluation loss", digits: 4 },
  { name: "exact", title: "exact match (EM)", digits: 2 },
  { name: "f1", title: "F1", digits: 2 },
];

/** Lines of text; the columns that were not measured are left out. */
export function resultTable(results: Record<string, number>): string {
  const own = ownMetricNames().map((name) => ({ name, title: name, digits: 2 }));
  const measured = [...rows, ...own].filter(({ name }) => name in results);
  const width = Math.max(17, ...measured.map(({ title }) => title.length));
  const hasBaseline = measured.some(({ name }) => `baseline_${name}` in results);
  const cell = (value: number | undefined, digits: number): string => (value === undefined ? "" : value.toFixed(digits)).padStart(10);
  const lines = measured.map(({ name, title, digits }) => {
    const before = hasBaseline ? cell(results[`baseline_${name}`], digits) : "";
    return `${title.padEnd(width)}${before}${resultColors.bold(cell(results[name], digits))}`;
  });
  const head = `${"".padEnd(width)}${hasBaseline ? "before".padStart(10) : ""}${"after".padStart(10)}`;
  const speed = `${results.train_steps} steps in ${formatDuration(results.train_runtime)}, ${results.train_samples_per_second.toFixed(2)} samples/s`;
  return [...(lines.length > 0 ? [head, ...lines, ""] : []), speed].join("\n");
}
