/**
 * The questions of one data file, whatever its format. The content decides: parquet by its magic bytes; JSON with `data` is SQuAD's nested form,
 * a JSON list holds rows; a file named .jsonl or .ndjson, or one whose first line is a whole JSON object that is not all of the file, holds a row a line.
 */
import { closeSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { openPlainFile } from "../files/plain-file.js";
import { readingError } from "../files/system-errors.js";
import { LecternError } from "../errors.js";
import { asFields, asList, asTextOrNumber, at, FieldError } from "./fields.js";
import { decodeText, parseJson, readLines } from "./json-text.js";
import { readParquet } from "./parquet.js";
import { type BadRow, orBadRow, type RawQuestion } from "./raw-question.js";
import { readRow } from "./rows.js";
import { readSquad } from "./squad-json.js";

/** `rows` are those that a program gives. */
export type DataFormat = "squad" | "json" | "jsonl" | "parquet" | "rows";

/** What is known of a file once its questions were read. */
export interface DataFile {
  path: string;
  format: DataFormat;
  /** The `version` that a SQuAD file states: "1.1", "v2.0". */
  version?: string;
  /** Questions read; fewer than the file has when a limit stopped the reading. */
  questions: number;
  /** Rows that could not be read. */
  badRows: number;
  emptyParagraphs: number;
}

/** JavaScript's longest string, about 537 million code units: larger JSON files cannot be parsed at once. */
const longestJson = 0x1fffffe8;

/** The facts of a file that has not been read yet. */
export async function openDataFile(file: string): Promise<DataFile> {
  return { path: file, format: formatOf(file), questions: 0, badRows: 0, emptyParagraphs: 0 };
}

/**
 * The rows of a file, those that cannot be read as bad rows; what is learnt of the file is written into `facts`, but for the counts of rows.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE; DATA_SYNTAX, DATA_FIELD for a file that is not of its form
 */
export async function* readQuestions(facts: DataFile): AsyncGenerator<RawQuestion | BadRow> {
  const file = facts.path;
  if (facts.format === "parquet") {
    let row = 0;
    for await (const fields of readParquet(file)) {
      const place = { file, path: `row ${row++}` };
      yield orBadRow(place, () => readRow(fields, place));
    }
  } else if (facts.format === "jsonl") {
    for await (const line of readLines(file)) {
      const place = { file, path: `line ${line.number}` };
      yield orBadRow(place, () => readRow(parseJson(line.text(), `${file}: line ${line.number}`), place));
    }
  } else {
    yield* questionsOfJson(facts, parseJson(decodeText(await readFile(file), file), file));
  }
}

function* questionsOfJson(facts: DataFile, root: unknown): Generator<RawQuestion | BadRow> {
  const place = { file: facts.path, path: "" };
  if (Array.isArray(root)) {
    facts.format = "json";
    for (const [i, row] of root.entries()) yield orBadRow(at(place, i), () => readRow(row, at(place, i)));
    return;
  }
  const fields = asFields(root, place, "an object or a list");
  const { data, version } = fields;
  facts.version = asTextOrNumber(version, at(place, "version"));
  if (data === undefined) throw new FieldError(at(place, "data"), "SQuAD's list of articles, or rows", data);
  const [first] = asList(data, at(place, "data"));
  if (typeof first === "object" && first !== null && !("paragraphs" in first) && "question" in first) {
    facts.format = "json"; // {"data": [rows]}, as Hugging Face's training scripts read with field="data"
    yield* questionsOfJson(facts, data);
    return;
  }
  yield* readSquad(fields, facts.path, () => facts.emptyParagraphs++);
}

function formatOf(file: string): DataFormat {
  const { start, size } = readStart(file);
  if (size === 0) {
    throw new LecternError("DATA_EMPTY", {
      message: `${file} is empty.`,
      expected: "questions as JSON, JSON lines or parquet",
      received: "a file of 0 bytes",
      next: "Name another file, or write this one again.",
    });
  }
  if (start.subarray(0, 4).toString("latin1") === "PAR1" || path.extname(file).toLowerCase() === ".parquet") return "parquet";
  if ([".jsonl", ".ndjson"].includes(path.extname(file).toLowerCase()) || startsWithWholeLine(start)) return "jsonl";
  if (size > longestJson) {
    throw new LecternError("DATA_SYNTAX", {
      message: `${file} is too large to be read as one JSON value.`,
      expected: `at most ${longestJson} bytes of JSON`,
      received: `${size} bytes`,
      next: "Write it as JSON lines or parquet, which have no such limit.",
    });
  }
  return "squad";
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

/** The first mebibyte, enough for any first line that is worth guessing by. */
function readStart(file: string): { start: Buffer; size: number } {
  const { descriptor, size } = openPlainFile(file, "a file with questions");
  try {
    const start = Buffer.alloc(Math.min(size, 1 << 20));
    return { start: start.subarray(0, readSync(descriptor, start)), size };
  } catch (error) {
    throw readingError(error, file, "a file with questions");
  } finally {
    closeSync(descriptor);
  }
}
