/**
 * Questions that a program holds in memory, as a source beside files: rows of any form that is read, or examples that were read
 * before. Where sources are named, as in a recipe, rows are called `rows:NAME`; only the program that has them can give them.
 */
import { LecternError } from "../errors.js";
import { describeValue } from "../text/describe-value.js";
import type { ReadyExample } from "./collection.js";
import type { QaExample } from "./examples.js";
import type { DataFile } from "./question-files.js";
import type { BadRow, RawQuestion } from "./raw-question.js";
import type { RecordReader } from "./record-reader.js";

/** A question with its answers, as the columns of the hub's `squad` have it; docs/data.md has the other ways to give answers. */
export interface QuestionRow {
  /** Without one the question is named by its source and number. */
  readonly id?: string | number | null;
  readonly title?: string | number | null;
  readonly question: string;
  readonly context: string;
  /** `answer_start` in Unicode code points of the context, as in files; without it the text is looked for. Empty: there is no answer. */
  readonly answers?:
    | readonly { readonly text: string; readonly answer_start?: number | null }[]
    | { readonly text: readonly string[]; readonly answer_start?: readonly number[] | null }
    | null;
  /** One answer, with `answer_start` beside it, in place of `answers`. */
  readonly answer?: string | null;
  readonly answer_start?: number | null;
  readonly is_impossible?: boolean | null;
}

/**
 * Rows one after the other: an array, a generator, a stream of objects. They are read once. Each is a `QuestionRow` (annotate yours, and the
 * compiler checks them), an example of `loadExamples`, or a record of any other form that is read (docs/data.md).
 */
export type Rows = Iterable<object> | AsyncIterable<object>;

/** Rows as a source of data. */
export interface NamedRows {
  /** What places, findings and made ids call them. Default `rows`. */
  readonly name?: string;
  readonly rows: Rows;
}

const scheme = "rows:";

/** How a recipe names rows that a program gives. */
export function rowsSource(name: string): string {
  return `${scheme}${name}`;
}

/** Refuses a source that stands for rows of a program. */
export function refuseRowsSource(source: string): void {
  if (!source.startsWith(scheme)) return;
  throw new LecternError("DATA_ROWS_MISSING", {
    message: `${source} stands for rows that a program held in memory, and they were not given.`,
    expected: "the rows, or a file",
    received: "only their name",
    next: "Give them from the program: train(recipe, { trainData, evalData }). Or write them to a file of JSON lines, and name that.",
  });
}

/** The facts of rows that have not been read yet. */
export function openRows({ name = "rows" }: NamedRows): DataFile {
  return { path: name, format: "rows", questions: 0, badRows: 0, emptyParagraphs: 0 };
}

/**
 * The rows, those that cannot be read as bad rows.
 * @throws LecternError DATA_OPTION for something that holds no rows; whatever reading the rows throws
 */
export async function* readGivenRows(
  { name = "rows", rows }: NamedRows,
  reader: RecordReader,
): AsyncGenerator<RawQuestion | ReadyExample | BadRow> {
  if (!isIterable(rows)) {
    throw new LecternError("DATA_OPTION", {
      message: `${name} holds no rows.`,
      expected: "an array of rows, or what gives them one by one (a generator, a stream of objects)",
      received: describeValue(rows),
      next:
        typeof rows === "string"
          ? "Name files in the recipe: train_files and eval_files."
          : "docs/programs.md shows rows; loadExamples takes them as { rows }.",
    });
  }
  let number = 0;
  for await (const row of rows) {
    const place = { file: name, path: `row ${number++}` };
    if (isExample(row)) yield { place, example: row };
    else yield* reader.read(row, place);
  }
}

function isIterable(value: unknown): value is Rows {
  return typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

/** Whether it is what `loadExamples` gives, and not a row. */
function isExample(row: unknown): row is QaExample {
  if (typeof row !== "object" || row === null || !("impossible" in row)) return false;
  const { id, question, context, answers } = row as Partial<Record<keyof QaExample, unknown>>;
  if (!isFilled(id) || !isFilled(question) || typeof context !== "string" || !Array.isArray(answers)) return false;
  return answers.every((answer: unknown) => {
    const { text, start } = typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : {};
    return isFilled(text) && Number.isSafeInteger(start);
  });
}

function isFilled(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "";
}
