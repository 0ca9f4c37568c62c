/**
 * Questions as flat rows. The columns are those of the `squad` and `squad_v2` data sets on the Hugging Face Hub: id, title, context, question,
 * answers {text[], answer_start[]}; or the columns `answers.text` and `answers.answer_start` (what `flatten()` makes of them), or one answer a
 * row as `answer` with `answer_start`. Other usual names are known (columns.ts), and the answers may have any shape of read-answers.ts.
 */
import { type Columns, type ColumnName, columnsUnknown, nameColumns, type NamedRow, valueAt } from "../columns.js";
import { asFilledText, asFlag, asId, asText, asTextOrNumber, at, type Fields, isAbsent, type Place } from "../fields.js";
import type { RawAnswer, RawQuestion } from "../raw-question.js";
import { readAnswers } from "../read-answers.js";
import { defineDataForm } from "./data-form.js";

export const rows = defineDataForm({
  name: "rows",
  matches: (record) => isRow(nameColumns(record)),
  *read(record, place) {
    yield readRow(nameColumns(record), place);
  },
});

/** The form of rows whose columns the person has named: records that have one of them. */
export function rowsWithColumns(columns: Columns) {
  return defineDataForm({
    name: "rows",
    matches: (record) => Object.values(columns).some((name) => valueAt(record, name) !== undefined),
    *read(record, place) {
      const row = nameColumns(record, columns);
      if (!("question" in row.fields && "context" in row.fields))
        throw columnsUnknown(place.file, place.path, Object.keys(record), columns);
      yield readRow(row, place);
    },
  });
}

function isRow({ fields }: NamedRow): boolean {
  return ["question", "context"].every((name) => name in fields && (typeof fields[name] !== "object" || fields[name] === null));
}

/**
 * One row as a question.
 * @throws LecternError DATA_FIELD with the place of a missing or wrong value, under the file's own name of the column
 */
export function readRow(row: NamedRow, place: Place): RawQuestion {
  return { ...readTexts(row, place), ...readRowAnswers(row, place), place };
}

/** The texts of a row, without its answers. */
export function readTexts({ fields, names }: NamedRow, place: Place): Pick<RawQuestion, "id" | "title" | "question" | "context"> {
  const placeOf = (name: ColumnName): Place => at(place, names[name] ?? name);
  return {
    id: asId(fields["id"], placeOf("id")),
    title: asTextOrNumber(fields["title"], placeOf("title")),
    question: asFilledText(fields["question"], placeOf("question")),
    context: asText(fields["context"], placeOf("context")),
  };
}

/** What a row says of answers. */
export function readRowAnswers({ fields, names }: NamedRow, place: Place): Pick<RawQuestion, "answers" | "impossible"> {
  const placeOf = (name: ColumnName): Place => at(place, names[name] ?? name);
  return { answers: answersOf(fields, placeOf), impossible: asFlag(fields["is_impossible"], placeOf("is_impossible")) };
}

const answerColumns = [
  ["answers", "answer_start"],
  ["answers.text", "answers.answer_start"],
  ["answer", "answer_start"],
] as const;

/** The first column of answers that has a value; null in all of them says no more than none of them. */
function answersOf(fields: Fields, placeOf: (name: ColumnName) => Place): RawAnswer[] | undefined {
  for (const [name, startsName] of answerColumns) {
    const value = fields[name];
    if (value === undefined || (isAbsent(value) && name !== "answer")) continue;
    return readAnswers(value, placeOf(name), { value: fields[startsName], place: placeOf(startsName) });
  }
  return undefined;
}
