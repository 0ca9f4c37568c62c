/** A data report as the lines that a person should read before trusting a run: nothing when there is nothing to say. */
import type { DataReport } from "./examples.js";

/**
 * Warnings, one concern a line.
 * @example
 * for (const line of dataWarnings(report)) console.error(line);
 */
export function dataWarnings(report: DataReport): string[] {
  const lines: string[] = [];
  const { moved, lost, shown } = report.misplaced;
  if (moved + lost > 0) {
    lines.push(
      `${moved + lost} of ${report.answers} answers are not at their answer_start: ${moved} were found elsewhere in the context, ${lost} were not (or not for certain).`,
    );
    for (const answer of shown) {
      const outcome = answer.start < 0 ? "not found" : `found at ${answer.start}`;
      lines.push(
        `  ${answer.place} (${answer.id}): ${JSON.stringify(answer.text)} ${answer.stated === undefined ? "without a place" : `stated at ${answer.stated}`}, ${outcome}`,
      );
    }
    if (moved + lost > shown.length) lines.push(`  … and ${moved + lost - shown.length} more`);
  }
  if (report.untrainable > 0)
    lines.push(`${report.untrainable} examples have no answer that was found: they are evaluated, but not trained on.`);
  if (report.duplicateIds.count > 0) {
    lines.push(
      `${report.duplicateIds.count} questions repeat the id of an earlier one and were dropped: ${report.duplicateIds.shown.join(", ")}${report.duplicateIds.count > report.duplicateIds.shown.length ? ", …" : ""}`,
    );
  }
  for (const { path, badRows } of report.files) if (badRows > 0) lines.push(`${path}: ${badRows} rows cannot be read and are left out.`);
  if (report.emptyParagraphs > 0) lines.push(`${report.emptyParagraphs} contexts have no question.`);
  return lines;
}
