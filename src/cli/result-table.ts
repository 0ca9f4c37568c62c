/** The before/after table that a training ends with, from the figures of all_results.json. */
import { formatDuration } from "../train/progress.js";
import { resultColors } from "./output.js";

const rows = [
  { name: "eval_loss", title: "evaluation loss", digits: 4 },
  { name: "exact", title: "exact match (EM)", digits: 2 },
  { name: "f1", title: "F1", digits: 2 },
];

/** Lines of text; the columns that were not measured are left out. */
export function resultTable(results: Record<string, number>): string {
  const measured = rows.filter(({ name }) => name in results);
  const hasBaseline = measured.some(({ name }) => `baseline_${name}` in results);
  const cell = (value: number | undefined, digits: number): string => (value === undefined ? "" : value.toFixed(digits)).padStart(10);
  const lines = measured.map(({ name, title, digits }) => {
    const before = hasBaseline ? cell(results[`baseline_${name}`], digits) : "";
    return `${title.padEnd(17)}${before}${resultColors.bold(cell(results[name], digits))}`;
  });
  const head = `${"".padEnd(17)}${hasBaseline ? "before".padStart(10) : ""}${"after".padStart(10)}`;
  const speed = `${results.train_steps} steps in ${formatDuration(results.train_runtime)}, ${results.train_samples_per_second.toFixed(2)} samples/s`;
  return [...(lines.length > 0 ? [head, ...lines, ""] : []), speed].join("\n");
}
