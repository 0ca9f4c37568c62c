/**
 * Rows of tables in text (CSV, RFC 4180, and what spreadsheets and data frames make of it): any of four delimiters, cells with line ends in
 * quotes, Windows line ends. Parsing is csv-parse's; what a quote means where none may stand is decided here, and rows are counted in lines
 * of the file, so that a person finds them.
 */
import { pipeline, Readable } from "node:stream";
import { CsvError, type Info, parse } from "csv-parse";
import { LecternError } from "../errors.js";
import type { Fields, Place } from "./fields.js";
import { decodeText } from "./json-text.js";
import type { BadRow } from "./raw-question.js";
import type { TableHeader } from "./table-header.js";

/** No row is longer, in bytes: a quote that is never closed must not take all of a large file into memory. */
const longestRow = 1 << 25;

/**
 * The rows of a table by the names of its columns, in their order; rows without any text are left out. A row with cells that have no column,
 * or with a quote inside quotes that is not doubled, is a bad one.
 * @param chunks the file in UTF-8
 * @throws LecternError DATA_SYNTAX with the line, for what is not UTF-8, a quote that is not closed, and a row of more than 32 MiB
 */
export async function* readTable(
  file: string,
  chunks: AsyncIterable<Buffer>,
  header: TableHeader,
): AsyncGenerator<{ place: Place; value: Fields } | BadRow> {
  const { delimiter, names, isSpaced, isStated, escape, lineEnds } = header;
  const parser = parse({
    delimiter,
    record_delimiter: lineEnds,
    escape,
    info: true,
    raw: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    trim: isSpaced,
    max_record_size: longestRow,
  });
  pipeline(Readable.from(decoded(file, chunks, lineEnds.includes("\n") ? 10 : 13)), parser, () => {}); // errors come out of the parser
  let rows = isStated ? -2 : -1; // what stands before the first row of data
  let linesOfRows = 0;
  let emptyLines = 0;
  try {
    for await (const { record, raw, info } of parser as AsyncIterable<{ record: string[]; raw: string; info: Info }>) {
      emptyLines = info.empty_lines;
      const place = { file, path: `line ${1 + linesOfRows + emptyLines}` };
      linesOfRows += record.reduce((sum, cell) => sum + lineEndsIn(cell), 1);
      if (rows++ < 0 || record.every((cell) => cell.trim() === "")) continue;
      const surplus = record.slice(names.length).filter((cell) => cell.trim() !== "").length;
      const isLiteral = (cell: string): boolean => delimiter === "\t" && !/[\t\n]/.test(cell); // "Yes" he said
      if (record.some((cell) => isStrayQuoted(cell, raw, escape) && !isLiteral(cell))) yield strayQuote(place);
      else if (surplus > 0) yield surplusCells(place, record.length, names.length);
      else yield { place, value: rowOf(names, record) };
    }
  } catch (error) {
    throw error instanceof CsvError ? unreadable(file, 1 + linesOfRows + emptyLines, describeCsvError(error)) : error;
  }
}

/** Cells by their columns' names; the first of columns that share a name, and none without a name. */
function rowOf(names: readonly string[], cells: readonly string[]): Fields {
  const fields: Fields = Object.create(null) as Fields; // a column may be called __proto__
  for (const [column, name] of names.entries()) {
    if (name !== "" && column < cells.length && !(name in fields)) fields[name] = cells[column];
  }
  return fields;
}

/** Whether a cell begins with a quote that is not a doubled one: csv-parse gives up the quoting of a cell that goes on behind its closing quote. */
function isStrayQuoted(cell: string, raw: string, escape: string): boolean {
  if (!cell.startsWith('"')) return false;
  return escape === '"' ? !raw.includes(`"${cell.replaceAll('"', '""')}"`) : !raw.includes(`"${escape}"`);
}

/** The bytes as texts of whole lines, since no character goes over the end of one. */
async function* decoded(file: string, chunks: AsyncIterable<Buffer>, lineEnd: number): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let length = 0;
  let line = 1;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(lineEnd) + 1;
    length += chunk.length;
    if (end > 0) {
      const lines = Buffer.concat([...rest, chunk.subarray(0, end)]);
      yield decodeLines(file, lines, line);
      line += countOf(lineEnd, lines);
      rest = [];
      length = chunk.length - end;
    }
    if (length > longestRow) throw unreadable(file, line, "a line of more than 32 MiB");
    rest.push(chunk.subarray(end));
  }
  yield decodeLines(file, Buffer.concat(rest), line);
}

/** @throws LecternError DATA_SYNTAX with the line that is not UTF-8 */
function decodeLines(file: string, bytes: Buffer, first: number): string {
  try {
    return decodeText(bytes, file, first === 1);
  } catch (error) {
    let line = first;
    for (let start = 0, end: number; start < bytes.length; start = end + 1, line++) {
      end = bytes.indexOf(10, start);
      if (end < 0) end = bytes.length;
      decodeText(bytes.subarray(start, end), `${file}: line ${line}`);
    }
    throw error;
  }
}

function countOf(byte: number, bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) count++;
  return count;
}

function lineEndsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

function strayQuote(place: Place): BadRow {
  const error = new LecternError("DATA_SYNTAX", {
    message: `${place.file}: ${place.path} has a quote where none can stand.`,
    expected: 'quotes doubled inside of quotes: "He said ""yes""."',
    received: "a text in quotes that goes on behind its closing quote",
    next: "Double the quotes inside of the text, or let a spreadsheet program or a data frame write the file.",
  });
  return { place, kind: "a quote stands where none can", error };
}

function surplusCells(place: Place, cells: number, columns: number): BadRow {
  const error = new LecternError("DATA_SYNTAX", {
    message: `${place.file}: ${place.path} has more cells than the table has columns.`,
    expected: `${columns} cells`,
    received: `${cells} cells`,
    next: "Put texts that hold the delimiter into double quotes.",
  });
  return { place, kind: "there are more cells than columns", error };
}

function describeCsvError({ code }: CsvError): string {
  return code === "CSV_QUOTE_NOT_CLOSED" ? "a quote that is not closed up to the end of the file" : "a row that is longer";
}

function unreadable(file: string, line: number, received: string): LecternError {
  return new LecternError("DATA_SYNTAX", {
    message: `${file}: the row at line ${line} does not end.`,
    expected: "a closing quote for each that opens, and rows of at most 32 MiB",
    received,
    next: "Close the quote, or double it where it belongs to the text: the rows behind it cannot be told from its text.",
  });
}
