/**
 * Tables as CSV (RFC 4180, UTF-8) and as parquet. Spreadsheets take a text that begins with =, +, - or @ for a formula, and the texts here are other
 * people's: in CSV such a text gets an apostrophe in front. Parquet holds every text as it is.
 */
import { open } from "node:fs/promises";
import path from "node:path";
import { stringify } from "csv-stringify/sync";
import { parquetWriteFile } from "hyparquet-writer";
import type { Table } from "./tables.js";

/** Rows made into text at once: contexts are long, and all of them together need not be in memory twice. */
const rowsAtOnce = 1000;

/** The names of the files that a table becomes. */
export function tableFiles({ name }: Table): { csv: string; parquet: string } {
  return { csv: `${name}.csv`, parquet: `${name}.parquet` };
}

/** Writes both files of a table into a folder. */
export async function writeTable(folder: string, table: Table): Promise<void> {
  const { csv, parquet } = tableFiles(table);
  await writeCsv(path.join(folder, csv), table);
  parquetWriteFile({
    filename: path.join(folder, parquet),
    columnData: table.columns.map(({ name, type, values }) => ({ name, type, data: values.map((value) => value ?? null) })),
    rowGroupSize: 10 * rowsAtOnce,
    createdBy: "lectern",
  });
}

async function writeCsv(file: string, { columns }: Table): Promise<void> {
  const rows = columns[0].values.length;
  const handle = await open(file, "w");
  try {
    await handle.write(stringify([columns.map(({ name }) => name)]));
    for (let from = 0; from < rows; from += rowsAtOnce) {
      const length = Math.min(rowsAtOnce, rows - from);
      const records = Array.from({ length }, (_, i) => columns.map(({ values }) => values[from + i]));
      await handle.write(stringify(records, { escape_formulas: true }));
    }
  } finally {
    await handle.close();
  }
}
