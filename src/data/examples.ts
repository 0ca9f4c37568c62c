/**
 * Question-answering examples as the rest of the project uses them, and how they come from data files: readers yield raw questions, their
 * meaning is settled and their answers are placed in the context (collection.ts), and a report says all that is worth a second look (docs/data.md).
 */
import { LecternError } from "../errors.js";
import { Collection } from "./collection.js";
import type { Columns } from "./columns.js";
import type { Finding, FindingGroup } from "./findings.js";
import { type NamedRows, openRows, readGivenRows, refuseRowsSource } from "./given-rows.js";
import { bringHubSplit, type HubSplitRead, isHubSource } from "./hub-data-sets.js";
import type { Answer } from "./place-answers.js";
import { type DataFile, openDataFile } from "./question-files.js";
import { RecordReader } from "./record-reader.js";

/** A question on a context. Examples of one context share its string. */
export interface QaExample {
  id: string;
  title?: string;
  question: string;
  context: string;
  /** `start` in UTF-16 code units of the context, −1 for an answer that could not be found there for certain. */
  answers: Answer[];
  /** The context does not answer the question. */
  impossible: boolean;
}

/** What reading the data found. */
export interface DataReport {
  files: DataFile[];
  examples: number;
  contexts: number;
  /** Different titles, 0 when the data has none. */
  titles: number;
  answers: number;
  /** Examples without an answer. */
  impossible: number;
  /**
   * Of these, those of which the data says it: by their flag, or, where other questions have answers, by an empty answer or list. The others
   * say nothing of answers, or are all questions that are yet to be answered.
   */
  unanswerable: number;
  /** Examples that have answers, none of which was found: kept for evaluation, skipped by training. */
  untrainable: number;
  /** Rows that could not be read. */
  badRows: number;
  /** Answers that are not where, or not as, the file says, and were found. */
  repaired: number;
  /** Answers that were not found for certain. */
  lost: number;
  /** Questions on a context without text. */
  blankContexts: number;
  /** Questions with the id of an earlier one. */
  repeatedIds: number;
  emptyParagraphs: number;
  /** All that is worth a second look, by kind. */
  findings: FindingGroup[];
  /** What was read of data sets on the Hugging Face Hub, where there were any. */
  hub?: HubSplitRead[];
}

export interface LoadOptions {
  /** Stop after so many examples (max_train_samples). */
  limit?: number;
  /**
   * Which split of a data set on the hub is meant where its name says none: `train`, or `evaluation`, its validation split (else its test
   * split). Default `train`.
   */
  split?: "train" | "evaluation";
  /** `optional` accepts questions whose answers are not given, to predict on; they are then like unanswerable ones. Default `required`. */
  answers?: "required" | "optional";
  /**
   * `unique` gives a question whose id an earlier one has an id of its own, since predictions are kept by id; `as given` leaves it, as the
   * official SQuAD scripts do. Default `unique`.
   */
  ids?: "unique" | "as given";
  /** Which columns of the files are the question, the context and so on, where they have other names than the usual ones. */
  columns?: Columns;
  /** How many rows may be bad before the data is refused: below 1 a share of all rows, else a number. Default: any, as long as each file has a good one. */
  maxBadRows?: number;
  /** Told of all that is worth a second look, as it is met; the report keeps only the first of each kind. */
  onFinding?: (finding: Finding) => void;
}

/** A file, `hub:ORGANISATION/NAME` for a data set on the Hugging Face Hub, or rows in memory. */
export type DataSource = string | NamedRows;

/**
 * Reads examples from one or several sources, in their order: files (JSON, JSON lines, CSV, TSV or parquet; of SQuAD's form, rows, exports of
 * other tools), data sets of the hub, which are brought into the cache, and rows in memory (docs/data.md).
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, DATA_SYNTAX, DATA_FORM, DATA_COLUMNS, DATA_FIELD, DATA_ANSWERS, DATA_EMPTY,
 *   DATA_OPTION, DATA_BAD_ROWS, DATA_ROWS_MISSING; HUB_SPLIT, HUB_NO_DATA and the other errors of the hub
 * @example
 * const { examples, report } = await loadExamples(["train-1.json", "more.parquet", { name: "mine", rows }], { limit: 1000 });
 */
export async function loadExamples(
  sources: DataSource | readonly DataSource[],
  options: LoadOptions = {},
): Promise<{ examples: QaExample[]; report: DataReport }> {
  const { limit = Infinity } = options;
  if (limit !== Infinity && (!Number.isInteger(limit) || limit < 1)) {
    throw new LecternError("DATA_OPTION", {
      message: "The number of samples to read is wrong.",
      expected: "a whole number from 1",
      received: String(limit),
    });
  }
  const all: readonly DataSource[] = isList(sources) ? sources : [sources];
  if (all.length === 0) throw new LecternError("DATA_EMPTY", { message: "No data file was named.", expected: "at least one file" });
  const collection = new Collection(options);
  const hub: HubSplitRead[] = [];
  for (const source of all) if (typeof source === "string") refuseRowsSource(source);
  for (const source of all) {
    if (collection.examples.length >= limit) break;
    if (typeof source !== "string") {
      const facts = openRows(source);
      await collection.addFile(facts, readGivenRows(source, new RecordReader(facts, options.columns)), limit);
      continue;
    }
    const brought = isHubSource(source) ? await bringHubSplit(source, { role: options.split ?? "train" }) : undefined;
    if (brought) hub.push(brought);
    for (const file of brought?.files ?? [source]) {
      if (collection.examples.length >= limit) break;
      const { facts, questions } = await openDataFile(file, options.columns);
      await collection.addFile(facts, questions, limit);
    }
  }
  const report = { ...collection.finish(), ...(hub.length > 0 && { hub }) };
  refuseBadRows(report, options.maxBadRows ?? Infinity);
  return { examples: collection.examples, report };
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

function refuseBadRows(report: DataReport, most: number): void {
  const { badRows, files, findings } = report;
  const rows = badRows + files.reduce((sum, { questions }) => sum + questions, 0);
  if ((most < 1 ? badRows / rows : badRows) <= most) return;
  const kinds = findings.filter(({ kind }) => kind === "bad row");
  throw new LecternError("DATA_BAD_ROWS", {
    message: `${badRows} of ${rows} rows of the data cannot be read.`,
    expected: `at most ${most} (max_bad_rows)`,
    received: kinds
      .slice(0, 5)
      .map(({ what, count, shown: [first] }) => `${what} (${count}, the first at ${first.file}: ${first.place})`)
      .join("; "),
    next: `Correct them: lectern inspect DATA --model MODEL --out FOLDER writes all of them to a file. Or go on without them: max_bad_rows=${badRows}.`,
  });
}
