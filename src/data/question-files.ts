/**
 * The questions of one data file. Two things are found out from its content, whatever its name: how records are written (parquet by its magic
 * bytes, JSON, JSON lines, else a table in text), and of which form each record is (forms/).
 */
import path from "node:path";
import { LecternError } from "../errors.js";
import { type Columns, columnsUnknown, emptyRow } from "./columns.js";
import { readTable } from "./csv.js";
import type { Place } from "./fields.js";
import { rows, rowsWithColumns } from "./forms/rows.js";
import { recordsOf } from "./json-records.js";
import { decodeText, parseJson, readLines } from "./json-text.js";
import { readParquet } from "./parquet.js";
import { type BadRow, isBadRow, orBadRow, type RawQuestion } from "./raw-question.js";
import { RecordReader } from "./record-reader.js";
import { openSource, type Source } from "./source-bytes.js";
import { type TableHeader, tableHeader } from "./table-header.js";

/** How records are written; `rows` are those that a program gives. */
export type DataFormat = "json" | "jsonl" | "csv" | "parquet" | "rows";

/** What is known of a file once its questions were read. */
export interface DataFile {
  path: string;
  format: DataFormat;
  /** The form of its first record: "squad", "rows", "Label Studio". */
  form?: string;
  /** The `version` that a SQuAD file states: "1.1", "v2.0". */
  version?: string;
  /** Questions read; fewer than the file has when a limit stopped the reading. */
  questions: number;
  /** Rows that could not be read. */
  badRows: number;
  emptyParagraphs: number;
}

/** Whether a SQuAD file says that it is of version 2, in which questions may be without answer. */
export function statesVersion2({ files }: { readonly files: readonly DataFile[] }): boolean {
  return files.some(({ version }) => version !== undefined && /^v?2/.test(version));
}

/** A file whose questions can be read. */
export interface OpenedDataFile {
  /** Filled in while the questions are read. */
  facts: DataFile;
  questions: AsyncIterable<RawQuestion | BadRow>;
}

/** JavaScript's longest string, about 537 million code units: larger JSON files cannot be parsed at once. */
const longestJson = 0x1fffffe8;

/**
 * Opens a file. Its rows come one by one, those that cannot be read as bad rows; the facts are complete but for the counts of rows once they have.
 * @param columns names of the columns of files that are not of a usual form
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, DATA_EMPTY, DATA_FORM; while reading also DATA_SYNTAX, DATA_FIELD, DATA_COLUMNS for
 *   a file that is not of its form
 */
export async function openDataFile(file: string, columns?: Columns): Promise<OpenedDataFile> {
  const source = await openSource(file);
  const header = tableHeaderOf(source, columns);
  if (!source.isParquet && header === undefined) refuseOtherText(source);
  const format = source.isParquet ? "parquet" : header !== undefined ? "csv" : isJsonLines(source) ? "jsonl" : "json";
  const facts: DataFile = { path: file, format, questions: 0, badRows: 0, emptyParagraphs: 0 };
  const reader = new RecordReader(facts, columns);
  return { facts, questions: questionsOf(recordsIn(source, facts, reader, header), reader) };
}

type Read = { value: unknown; place: Place } | BadRow;

async function* questionsOf(records: AsyncIterable<Read>, reader: RecordReader): AsyncGenerator<RawQuestion | BadRow> {
  for await (const record of records) {
    if (isBadRow(record)) yield record;
    else yield* reader.read(record.value, record.place);
  }
}

async function* recordsIn(source: Source, facts: DataFile, reader: RecordReader, header: TableHeader | undefined): AsyncGenerator<Read> {
  const { file } = source;
  if (facts.format === "parquet") {
    let row = 0;
    for await (const value of readParquet(file, reader.columns)) yield { value, place: { file, path: `row ${row++}` } };
  } else if (header !== undefined) {
    if (!reader.knowsTable(header.names)) throw columnsUnknown(file, "the table", header.names, reader.columns);
    yield* readTable(file, source.chunks(), header);
  } else if (facts.format === "jsonl") {
    for await (const line of readLines(file, source.chunks())) {
      const place = { file, path: `line ${line.number}` };
      yield orBadRow(place, () => ({ value: parseJson(line.text(), `${file}: line ${line.number}`), place }));
    }
  } else {
    yield* recordsOf(parseJson(decodeText(await wholeJson(source), file), file), facts, reader);
  }
}

async function wholeJson({ file, size, chunks }: Source): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks()) {
    parts.push(chunk);
    length += chunk.length;
    if (Math.max(size, length) <= longestJson) continue;
    throw new LecternError("DATA_SYNTAX", {
      message: `${file} is too large to be read as one JSON value.`,
      expected: `at most ${longestJson} bytes of JSON`,
      received: `${Math.max(size, length)} bytes`,
      next: "Write it as JSON lines or parquet, which have no such limit.",
    });
  }
  return Buffer.concat(parts, length);
}

/** The name's ending in lower case, without .gz. */
const endingOf = (file: string): string => path.extname(file.replace(/\.gz$/i, "")).toLowerCase();

function isJsonLines({ file, beginning, size }: Source): boolean {
  const text = textOf(beginning).trimStart();
  if (text.startsWith("[")) return false;
  if (startsWithWholeLine(beginning)) return true;
  const isWholeJson = size === beginning.length && !isJson(text.split("\n", 1)[0]) && isJson(text); // over several lines
  return [".jsonl", ".ndjson"].includes(endingOf(file)) && !isWholeJson;
}

const textOf = (beginning: Buffer): string => beginning.toString("utf8").replace(/^\ufeff/, "");

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** @throws LecternError DATA_FORM for text that is neither JSON nor a table; what is no text, or named as JSON, is told where it is parsed */
function refuseOtherText({ file, beginning }: Source): void {
  const text = textOf(beginning).trimStart();
  if (text === "" || /^[[{]|[\0\ufffd]/.test(text) || [".json", ".jsonl", ".ndjson"].includes(endingOf(file))) return;
  const name = text.startsWith("<") ? "XML or HTML" : /^\.ya?ml$/.test(endingOf(file)) ? "YAML" : "text without columns";
  throw new LecternError("DATA_FORM", {
    message: `${file} is ${name}, which is not read.`,
    expected: "JSON, JSON lines, CSV, TSV or parquet",
    received: JSON.stringify(text.slice(0, 40)),
    next: "Write rows of question, context and answer, as JSON lines or as CSV with these names in the first line.",
  });
}

/** Whether the first line is an object by itself and something follows it. */
function startsWithWholeLine(start: Buffer): boolean {
  const end = start.indexOf(10);
  if (end < 0 || start.subarray(end).toString("latin1").trim() === "") return false;
  try {
    const value: unknown = JSON.parse(start.subarray(0, end).toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** The header of a file that is a table in text: named as one, or with columns that are known in its first line. */
function tableHeaderOf({ file, beginning, isParquet }: Source, columns: Columns | undefined): TableHeader | undefined {
  if (isParquet) return undefined;
  const text = textOf(beginning);
  if (/^\s*[[{]/.test(text)) return undefined;
  const header = tableHeader(text, columns);
  if ([".csv", ".tsv", ".tab"].includes(endingOf(file))) return header;
  const record = emptyRow(header.names);
  return rows.matches(record) || (columns !== undefined && rowsWithColumns(columns).matches(record)) ? header : undefined;
}
