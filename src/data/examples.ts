/**
 * Question-answering examples as the rest of the project uses them, and how they come from data files: readers yield raw questions, their
 * answers are placed in the context, duplicates are dropped, and a report says all that is worth a second look (docs/data.md).
 */
import path from "node:path";
import { LecternError } from "../errors.js";
import { type Answer, type PlacedAnswer, placerFor } from "./place-answers.js";
import { openDataFile, readQuestions, type DataFile } from "./question-files.js";
import { isBadRow, type RawAnswer, type RawQuestion } from "./raw-question.js";

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
  /** Answers whose text is not where the file says. */
  misplaced: { moved: number; lost: number; shown: MisplacedAnswer[] };
  /** Examples that have answers, none of which was found: kept for evaluation, skipped by training. */
  untrainable: number;
  duplicateIds: { count: number; shown: string[] };
  emptyParagraphs: number;
}

export interface MisplacedAnswer {
  id: string;
  /** File and path of the question. */
  place: string;
  text: string;
  /** Where the file says the answer begins, in code points; undefined where it does not say. */
  stated: number | undefined;
  /** Where it was found, in UTF-16 code units; −1 for a lost one. */
  start: number;
}

export interface LoadOptions {
  /** Stop after so many examples (max_train_samples). */
  limit?: number;
  /** `optional` accepts questions whose answers are not given, to predict on; they are then like unanswerable ones. Default `required`. */
  answers?: "required" | "optional";
}

/** How many misplaced answers and duplicate ids a report shows. */
const shownAtMost = 5;

/**
 * Reads examples from one or several files (SQuAD JSON, JSON lines, JSON rows, parquet), in their order.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, DATA_SYNTAX, DATA_FIELD, DATA_ANSWERS, DATA_EMPTY, DATA_OPTION
 * @example
 * const { examples, report } = await loadExamples(["train-1.json", "more.parquet"], { limit: 1000 });
 */
export async function loadExamples(
  paths: string | string[],
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
  const files = typeof paths === "string" ? [paths] : paths;
  if (files.length === 0) throw new LecternError("DATA_EMPTY", { message: "No data file was named.", expected: "at least one file" });
  const collection = new Collection(options.answers ?? "required");
  for (const file of files) {
    if (collection.examples.length >= limit) break;
    const facts = await openDataFile(file);
    collection.report.files.push(facts);
    for await (const row of readQuestions(facts)) {
      if (!isBadRow(row)) collection.add(row);
      if (collection.examples.length >= limit) break;
    }
  }
  return { examples: collection.examples, report: collection.finish() };
}

/** Examples in the making, and what was met on the way. */
class Collection {
  readonly examples: QaExample[] = [];
  readonly report: DataReport = {
    files: [],
    examples: 0,
    contexts: 0,
    titles: 0,
    answers: 0,
    impossible: 0,
    misplaced: { moved: 0, lost: 0, shown: [] },
    untrainable: 0,
    duplicateIds: { count: 0, shown: [] },
    emptyParagraphs: 0,
  };
  readonly #answers: "required" | "optional";
  readonly #ids = new Set<string>();
  /** Each different context once: rows repeat it for every question. */
  readonly #contexts = new Map<string, { context: string; place: (answer: RawAnswer) => PlacedAnswer }>();
  #rows = 0;

  constructor(answers: "required" | "optional") {
    this.#answers = answers;
  }

  add(raw: RawQuestion): void {
    const id = raw.id ?? `${path.parse(raw.place.file).name}-${this.#rows}`;
    this.#rows++;
    if (this.#ids.has(id)) {
      const { duplicateIds } = this.report;
      duplicateIds.count++;
      if (duplicateIds.shown.length < shownAtMost && !duplicateIds.shown.includes(id)) duplicateIds.shown.push(id);
      return;
    }
    this.#ids.add(id);
    if (raw.answers === undefined && raw.impossible !== true && this.#answers === "required") throw answersNotGiven(raw);
    let known = this.#contexts.get(raw.context);
    if (known === undefined) {
      known = { context: raw.context, place: placerFor(raw.context) };
      this.#contexts.set(raw.context, known);
    }
    const answers: Answer[] = [];
    const given = raw.impossible === true ? [] : (raw.answers ?? []).filter(({ text }) => text !== "");
    for (const answer of given) {
      const placed = known.place(answer);
      if (placed.found !== "stated") this.#noteMisplaced(id, raw, answer.start, placed);
      answers.push({ text: placed.text, start: placed.start });
    }
    this.examples.push({
      id,
      ...(raw.title === undefined ? {} : { title: raw.title }),
      question: raw.question,
      context: known.context,
      answers,
      impossible: answers.length === 0,
    });
  }

  finish(): DataReport {
    const { report, examples } = this;
    report.examples = examples.length;
    report.contexts = this.#contexts.size;
    report.titles = new Set(examples.map((example) => example.title).filter((title) => title !== undefined)).size;
    report.emptyParagraphs = report.files.reduce((sum, file) => sum + file.emptyParagraphs, 0);
    for (const example of examples) {
      report.answers += example.answers.length;
      if (example.impossible) report.impossible++;
      else if (example.answers.every((answer) => answer.start < 0)) report.untrainable++;
    }
    return report;
  }

  #noteMisplaced(id: string, raw: RawQuestion, stated: number | undefined, { text, start, found }: PlacedAnswer): void {
    const { misplaced } = this.report;
    if (found === "moved") misplaced.moved++;
    else misplaced.lost++;
    if (misplaced.shown.length < shownAtMost)
      misplaced.shown.push({ id, place: `${raw.place.file}: ${raw.place.path}`, text, stated, start });
  }
}

function answersNotGiven({ place }: RawQuestion): LecternError {
  return new LecternError("DATA_ANSWERS", {
    message: `${place.file}: ${place.path} has no answers.`,
    expected: "answers with text and answer_start; an empty list where the context has none",
    received: "a question without answers",
    next: "Add the answers; only prediction works without them.",
  });
}
