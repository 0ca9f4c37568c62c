/**
 * What separates the cells of a table, seen by its first line: the sign that gives the most names of columns that are known, else the most
 * cells. Excel writes a semicolon where numbers have a comma, and may say so in a line `sep=;` before all others.
 */
import { parse } from "csv-parse/sync";
import { type Columns, emptyRow, nameColumns } from "./columns.js";

export interface TableHeader {
  delimiter: "," | ";" | "\t" | "|";
  /** Names of the columns, without white space at their ends. */
  names: string[];
  /** White space follows the delimiters, as in `id, question`: it is not part of the cells. */
  isSpaced: boolean;
  /** A line `sep=;` stands before the names. */
  isStated: boolean;
  /** What stands before a quote that belongs to a text in quotes: another one, or a backslash, as Spark and MySQL write it. */
  escape: '"' | "\\";
  /** How rows end. */
  lineEnds: string[];
}

const delimiters = [",", ";", "\t", "|"] as const;
/** As much of the beginning as is looked at, in code units. */
const longestHeader = 1 << 16;

/**
 * @param beginning of the file, without a byte order mark
 * @example tableHeader('"Frage";"Text"\r\n…').delimiter; // ";"
 */
export function tableHeader(beginning: string, columns: Columns = {}): TableHeader {
  const text = beginning.slice(0, longestHeader).trimStart();
  const [, stated] = /^"?sep=([,;\t|])"?\r?\n/i.exec(text) ?? [];
  const escape = /[^\\]\\"[^,;\t|\r\n]/.test(text) && !/[^,;\t|\r\n"]""[^,;\t|\r\n"]/.test(text) ? "\\" : '"';
  const lineEnds = text.includes("\n") ? ["\r\n", "\n"] : ["\r"];
  const candidates = delimiters
    .filter((delimiter) => stated === undefined || stated === delimiter)
    .map((delimiter) => {
      const cells = firstRow(text, { delimiter, record_delimiter: lineEnds, escape, from: stated === undefined ? 1 : 2 });
      const names = cells.map((name) => name.trim());
      const known = Object.keys(nameColumns(emptyRow(names), columns).fields).length;
      const isSpaced = delimiter !== "\t" && cells.slice(1).some((name) => name.startsWith(" "));
      return { known, header: { delimiter, names, isSpaced, isStated: stated !== undefined, escape, lineEnds } as const };
    });
  const [best] = candidates.sort((a, b) => b.known - a.known || b.header.names.length - a.header.names.length);
  return best.header;
}

function firstRow(text: string, options: { delimiter: string; record_delimiter: string[]; escape: string; from: number }): string[] {
  try {
    const [row = []] = parse(text, { ...options, to: options.from, relax_quotes: true, relax_column_count: true, skip_empty_lines: true });
    return row;
  } catch {
    return []; // a quote that is not closed within the part that is looked at
  }
}
