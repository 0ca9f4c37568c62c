/**
 * Examples in the making: here it is decided, for all forms alike, what a file's rows mean. `is_impossible` wins over answers; an answer
 * without text is no answer; an id names a question, and questions never share one; answers are looked for in the context; what cannot be
 * read is left out. All of it is counted (docs/data.md).
 */
import { LecternError } from "../errors.js";
import type { DataReport, LoadOptions, QaExample } from "./examples.js";
import { type Finding, Findings } from "./findings.js";
import { type Answer, AnswerPlacer, type PlacedAnswer } from "./place-answers.js";
import type { DataFile } from "./question-files.js";
import type { Place } from "./fields.js";
import { type BadRow, isBadRow, type RawAnswer, type RawQuestion } from "./raw-question.js";
import { UniqueIds } from "./unique-ids.js";

/** An example that was read before: only its id, and that its answers stand where it says, are looked at. */
export interface ReadyExample {
  place: Place;
  example: QaExample;
}

export class Collection {
  readonly examples: QaExample[] = [];
  readonly #options: Pick<LoadOptions, "answers" | "ids">;
  readonly #files: DataFile[] = [];
  readonly #findings: Findings;
  readonly #ids = new UniqueIds();
  readonly #placer = new AnswerPlacer();
  /** Each different context once: rows repeat it for every question. */
  readonly #contexts = new Map<string, string>();
  /** Questions without answer: by their flag, and by an empty answer or list. */
  readonly #without = { flagged: 0, empty: 0 };
  readonly #counts = { repaired: 0, lost: 0, blankContexts: 0, repeatedIds: 0 };

  constructor(options: Pick<LoadOptions, "answers" | "ids" | "onFinding">) {
    this.#options = options;
    this.#findings = new Findings(options.onFinding);
  }

  /**
   * The rows of one file, up to a number of examples in all.
   * @throws LecternError DATA_EMPTY for a file without questions; the first row's error for one whose rows are all bad
   */
  async addFile(file: DataFile, rows: AsyncIterable<RawQuestion | ReadyExample | BadRow>, limit: number): Promise<void> {
    this.#files.push(file);
    let firstBad: BadRow | undefined;
    for await (const row of rows) {
      const question = isBadRow(row) || "example" in row ? row : this.#withAnswers(row);
      if (isBadRow(question)) {
        firstBad ??= question;
        this.#addBad(question, file);
      } else if ("example" in question) this.#addReady(question, file);
      else this.#add(question, file);
      if (this.examples.length >= limit) break;
    }
    if (file.questions === 0) throw firstBad === undefined ? noQuestion(file) : noRowReadable(file, firstBad);
  }

  finish(): DataReport {
    const { examples } = this;
    const sum = (of: (file: DataFile) => number): number => this.#files.reduce((total, file) => total + of(file), 0);
    return {
      files: this.#files,
      examples: examples.length,
      contexts: this.#contexts.size,
      titles: new Set(examples.map(({ title }) => title).filter((title) => title !== undefined)).size,
      answers: examples.reduce((total, { answers }) => total + answers.length, 0),
      impossible: examples.filter(({ impossible }) => impossible).length,
      unanswerable: this.#without.flagged + (examples.some(({ impossible }) => !impossible) ? this.#without.empty : 0),
      untrainable: examples.filter(({ impossible, answers }) => !impossible && answers.every(({ start }) => start < 0)).length,
      badRows: sum(({ badRows }) => badRows),
      emptyParagraphs: sum(({ emptyParagraphs }) => emptyParagraphs),
      ...this.#counts,
      findings: this.#findings.groups(),
    };
  }

  #addBad({ kind: what, place, error }: BadRow, file: DataFile): void {
    file.badRows++;
    this.#findings.add({ kind: "bad row", what, file: place.file, place: place.path, error: inOneLine(error) });
  }

  /** A question that says nothing of answers is a bad row where answers are required. */
  #withAnswers(raw: RawQuestion): RawQuestion | BadRow {
    if (raw.answers !== undefined || raw.impossible === true || this.#options.answers === "optional") return raw;
    return { place: raw.place, kind: "answers are missing", error: answersNotGiven(raw) };
  }

  #add(raw: RawQuestion, file: DataFile): void {
    const id = this.#idOf(raw, file);
    file.questions++;
    const context = this.#shared(raw.context);
    if (context.trim() === "") {
      this.#counts.blankContexts++;
      this.#note(id, raw, { kind: "blank context" });
    }
    const answers = this.#given(id, raw).map((answer) => this.#placed(id, raw, answer));
    if (raw.impossible === true) this.#without.flagged++;
    else if (answers.length === 0 && raw.answers !== undefined) this.#without.empty++;
    this.examples.push({
      id,
      ...(raw.title === undefined ? {} : { title: raw.title }),
      question: raw.question,
      context,
      answers,
      impossible: answers.length === 0,
    });
  }

  #addReady({ example, place }: ReadyExample, file: DataFile): void {
    const raw = { ...example, place, title: example.title, answers: undefined };
    const id = this.#idOf(raw, file);
    file.questions++;
    const context = this.#shared(example.context);
    if (context.trim() === "") this.#counts.blankContexts++;
    const answers = example.impossible ? [] : example.answers.map((answer) => this.#checked(id, raw, answer));
    if (example.impossible) this.#without.flagged++;
    else if (answers.length === 0) this.#without.empty++;
    this.examples.push({ ...example, id, context, answers, impossible: answers.length === 0 });
  }

  /** An answer that was placed before; the program may have changed the context since. */
  #checked(id: string, raw: RawQuestion, answer: Answer): Answer {
    const { text, start, written = text } = answer;
    if (start < 0) this.#counts.lost++;
    if (start < 0 || raw.context.startsWith(text, start)) return answer;
    return this.#placed(id, raw, { text: written, start: codePointsBefore(raw.context, start) });
  }

  #idOf({ id, place }: Pick<RawQuestion, "id" | "place">, file: DataFile): string {
    const unique = this.#ids.take(id ?? UniqueIds.made(file.path, file.questions + file.badRows), file.path);
    if (id === undefined || unique === id) return unique;
    this.#counts.repeatedIds++;
    if (this.#options.ids === "as given") return id;
    this.#findings.add({ kind: "repeated id", file: place.file, place: place.path, id, found: { id: unique } });
    return unique;
  }

  #shared(context: string): string {
    const known = this.#contexts.get(context);
    if (known !== undefined) return known;
    this.#contexts.set(context, context);
    return context;
  }

  /** The answers that count. */
  #given(id: string, raw: RawQuestion): RawAnswer[] {
    const { answers = [], impossible } = raw;
    const withText = answers.filter(({ text }) => text !== "");
    if (impossible === true) {
      if (withText.length > 0) this.#note(id, raw, { kind: "flag over answers", stated: { text: withText[0].text } });
      return [];
    }
    const empty = answers.length - withText.length;
    if (withText.length > 0) {
      for (let n = 0; n < empty; n++) this.#note(id, raw, { kind: "empty answer beside others" });
    } else if (impossible === false && this.#options.answers !== "optional") this.#note(id, raw, { kind: "flag without answer" });
    else if (empty > 0) this.#note(id, raw, { kind: "empty answer" });
    return withText;
  }

  #placed(id: string, raw: RawQuestion, given: RawAnswer): Answer {
    const placed = this.#placer.place(raw.context, given, raw.question);
    if (placed.answer.start < 0) {
      this.#counts.lost++;
      this.#noteAnswer(id, raw, given, placed, { kind: "lost" });
    } else if (placed.repairs.length > 0) {
      this.#counts.repaired++;
      for (const repair of placed.repairs) this.#noteAnswer(id, raw, given, placed, repair);
    }
    return placed.answer;
  }

  #noteAnswer(
    id: string,
    raw: RawQuestion,
    given: RawAnswer,
    { answer }: PlacedAnswer,
    { kind, what }: { kind: Finding["kind"]; what?: string },
  ): void {
    this.#note(id, raw, {
      kind,
      ...(what !== undefined && { what }),
      stated: { text: given.text, ...(given.start !== undefined && { start: given.start }) },
      ...(answer.start >= 0 && { found: { text: answer.text, start: codePointsBefore(raw.context, answer.start) } }),
    });
  }

  #note(id: string, { place }: RawQuestion, finding: Omit<Finding, "file" | "place" | "id">): void {
    this.#findings.add({ ...finding, file: place.file, place: place.path, id });
  }
}

function inOneLine({ detail: { message, expected, received } }: LecternError): string {
  const parts = [expected && `expected ${expected}`, received && `received ${received}`].filter((part) => part !== undefined);
  return [message.replace(/\.$/, ""), ...parts].join(", ");
}

/** A place in code units as one in code points. */
function codePointsBefore(text: string, codeUnits: number): number {
  return [...text.slice(0, codeUnits)].length;
}

function answersNotGiven({ place }: RawQuestion): LecternError {
  return new LecternError("DATA_ANSWERS", {
    message: `${place.file}: ${place.path === "" ? "the file" : place.path} has no answers.`,
    expected: "answers with text and answer_start; an empty list where the context has none",
    received: "a question without answers",
    next: "Add the answers, or name their column (columns: { answer: … }); only prediction works without them.",
  });
}

function noQuestion({ path: file, format, emptyParagraphs }: DataFile): LecternError {
  return new LecternError("DATA_EMPTY", {
    message: `${file} holds no question.`,
    expected: "at least one question",
    received: emptyParagraphs > 0 ? `${emptyParagraphs} paragraphs without questions` : "none",
    next:
      format === "rows"
        ? "Check what gives the rows: a generator gives them once, and a call needs it anew."
        : "Name another file, or check how this one was written.",
  });
}

/** The error of the first row, for a file none of whose rows can be read: it is not what it was taken for. */
function noRowReadable({ path: file, badRows }: DataFile, { error }: BadRow): LecternError {
  if (badRows === 1) return error;
  const message = `None of the ${badRows} rows of ${file} can be read. The first: ${error.detail.message}`;
  return new LecternError(error.code, { ...error.detail, message }, { cause: error });
}
