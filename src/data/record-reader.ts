/** Finds the form of each record of a file, or of rows in memory, and reads it. */
import { LecternError } from "../errors.js";
import { type Columns, columnsUnknown, emptyRow, nameColumns } from "./columns.js";
import { asFields, type Fields, type Place } from "./fields.js";
import type { DataForm, ReadForm, UnreadForm } from "./forms/data-form.js";
import { formOf } from "./forms/index.js";
import { rowsWithColumns } from "./forms/rows.js";
import type { DataFile } from "./question-files.js";
import { type BadRow, isBadRow, orBadRow, orBadRows, type RawQuestion } from "./raw-question.js";

export class RecordReader {
  readonly #facts: DataFile;
  readonly #own: ReadForm | undefined;
  #last: ReadForm | undefined;

  /**
   * @param facts where the name of the first record's form is noted
   * @param columns names that the person gives the columns
   */
  constructor(
    facts: DataFile,
    readonly columns: Columns = {},
  ) {
    this.#facts = facts;
    this.#own = Object.keys(columns).length === 0 ? undefined : rowsWithColumns(columns);
  }

  /** Whether a record is of a form that is known. */
  knows(fields: Fields): boolean {
    return this.#formOf(fields) !== undefined;
  }

  /** Whether a table's rows are: by the names of its columns, all that the person named among them where one is. */
  knowsTable(names: readonly string[]): boolean {
    const record = emptyRow(names);
    if (!this.#own?.matches(record)) return formOf(record) !== undefined;
    const { fields } = nameColumns(record, this.columns);
    return [...Object.keys(this.columns), "question", "context"].every((name) => name in fields);
  }

  /**
   * The questions of a record. One that no form knows is read as the one before it was, so that what it lacks is told.
   * @throws LecternError DATA_FORM for a first record of a form that is not read; later ones are bad rows
   */
  *read(value: unknown, place: Place): Generator<RawQuestion | BadRow> {
    const fields = orBadRow(place, () => asFields(value, place, "an object with question, context and answers"));
    if (isBadRow(fields)) return yield fields;
    const form = this.#formOf(fields) ?? this.#last;
    if (form !== undefined && "convert" in form && this.#facts.form === undefined) throw formNotRead(place.file, form);
    yield* orBadRows(place, () => {
      if (form === undefined) throw columnsUnknown(place.file, place.path, Object.keys(fields), this.columns);
      if ("convert" in form) throw formNotRead(place.file, form);
      this.#last = form;
      this.#facts.form ??= form.name;
      return form.read(fields, place, this.#facts);
    });
  }

  #formOf(fields: Fields): DataForm | undefined {
    return this.#own?.matches(fields) ? this.#own : formOf(fields);
  }
}

function formNotRead(file: string, { name, convert }: UnreadForm): LecternError {
  return new LecternError("DATA_FORM", {
    message: `${file} is data of ${name}, which is not read as it is.`,
    expected: "questions with the context that answers them, in a form of docs/data.md",
    received: name,
    next: convert,
  });
}
