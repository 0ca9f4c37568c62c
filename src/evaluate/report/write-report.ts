/** A report in a folder: report.html for a person, and each of its tables as CSV and as parquet. */
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { writeFilesAtomic } from "../../checkpoint/atomic.js";
import { buildReport, type ReportInput } from "./report-data.js";
import { reportTables } from "./tables.js";

export interface WrittenReport {
  /** The page's path. */
  page: string;
  /** The names of all files written, the page among them. */
  files: string[];
}

const pageName = "report.html";
/** What any report can write: what an earlier one left, and this one does not have, is removed. */
const tableNames = ["examples", "metrics", "summary", "outcomes", "breakdowns", "calibration", "precision_recall", "comparison"];

/**
 * Writes a report on a model's answers: report.html, which needs no network, and examples, metrics, summary, outcomes, breakdowns and
 * calibration as CSV and parquet, with precision_recall for SQuAD 2.0 and comparison where there is a second model. All of them or none.
 * @throws LecternError FILE_NOT_WRITABLE, DISK_FULL
 * @example
 * const { examples } = await loadExamples("starter/squad/dev.json");
 * const model = await evaluateModel("runs/quickstart", examples);
 * const { page } = await writeReport("runs/quickstart/report", { examples, model });
 */
export async function writeReport(folder: string, input: ReportInput): Promise<WrittenReport> {
  const report = buildReport(input);
  const tables = reportTables(report);
  // charts and parquet take a third of a second to load: only a report pays for them
  const [{ reportPage }, { tableFiles, writeTable }] = await Promise.all([import("./page.js"), import("./table-files.js")]);
  const files = [pageName, ...tables.flatMap((table) => Object.values(tableFiles(table)))];
  await writeFilesAtomic(
    folder,
    async (temporary) => {
      await writeFile(path.join(temporary, pageName), reportPage(report));
      for (const table of tables) await writeTable(temporary, table);
      const there = new Set(await readdir(folder));
      return tableNames.flatMap((name) => [`${name}.csv`, `${name}.parquet`]).filter((name) => there.has(name) && !files.includes(name));
    },
    (obsolete) => obsolete,
  );
  return { page: path.join(folder, pageName), files };
}
