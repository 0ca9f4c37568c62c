/**
 * Which column of a row is the question, the context, the answer: by the usual names, compared without case, spaces and hyphens, or by the
 * names that the person gives (`columns` of a recipe, `--columns` of the command line).
 */
import { LecternError } from "../errors.js";
import type { Fields } from "./fields.js";

/** What a row of questions can have, under our names. */
export const columnNames = [
  "id",
  "title",
  "context",
  "question",
  "answers",
  "answers.text",
  "answers.answer_start",
  "answer",
  "answer_start",
  "is_impossible",
] as const;
export type ColumnName = (typeof columnNames)[number];

/** Those that a person may name. */
export const givenColumnNames = ["question", "context", "answer", "answers", "answer_start", "is_impossible", "id", "title"] as const;

/** Our names of columns and the file's own: `{ question: "Frage", context: "body.text" }`; dots lead into nested values. */
export type Columns = Partial<Record<(typeof givenColumnNames)[number], string>>;

/** The usual names of each, the first of which is taken where a row has several; docs/data.md lists them. */
const usualNames: Record<ColumnName, readonly string[]> = {
  id: ["id", "qid", "question_id", "query_id"],
  title: ["title"],
  context: ["context", "context_text", "passage", "paragraph", "document", "content", "text"],
  question: ["question", "query", "question_text", "query_text"],
  answers: ["answers"],
  "answers.text": ["answers.text", "answers_text"],
  "answers.answer_start": ["answers.answer_start", "answers_start", "answers_answer_start"],
  answer: ["answer", "answer_text", "answer.text"],
  answer_start: ["answer_start", "answer.answer_start", "answer_offset", "start", "start_index"],
  is_impossible: ["is_impossible", "impossible", "no_answer", "unanswerable"],
};

/** A row under our names, and the names that its file has for them. */
export interface NamedRow {
  fields: Fields;
  names: Partial<Record<ColumnName, string>>;
}

/** A row that has the columns of a table and nothing in them: for what is known by names alone. */
export function emptyRow(names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => [name, ""]));
}

const answerColumns: readonly ColumnName[] = ["answers", "answers.text", "answers.answer_start", "answer"];

/**
 * A row of any names as one of ours. The columns that the person named are taken first, the others by their usual names. `text` is the
 * context where there is no other, else the answer where there is no other, as tables made of SQuAD have it.
 */
export function nameColumns(row: Fields, columns: Columns = {}): NamedRow {
  const own = new Map<string, string>();
  for (const name of Object.keys(row)) {
    const usual = usualForm(name);
    if (!own.has(usual)) own.set(usual, name);
  }
  const named: NamedRow = { fields: {}, names: {} };
  const hasOwnAnswers = columns.answer !== undefined || columns.answers !== undefined;
  for (const column of columnNames) {
    const given = (columns as NamedRow["names"])[column];
    if (given === undefined && hasOwnAnswers && answerColumns.includes(column)) continue;
    const name = given ?? usualNames[column].map((usual) => own.get(usual)).find((found) => found !== undefined);
    if (name === undefined) continue;
    const value = given === undefined ? row[name] : valueAt(row, given);
    if (value === undefined) continue;
    named.fields[column] = value;
    named.names[column] = name;
  }
  const text = own.get("text");
  if (text !== undefined && named.names.context !== text && !hasOwnAnswers && !answerColumns.some((name) => name in named.fields)) {
    named.fields["answer"] = row[text];
    named.names.answer = text;
  }
  return named;
}

/** `Answer Start`, `answer-start` and `answerStart` as `answer_start`. */
function usualForm(name: string): string {
  return name
    .trim()
    .replaceAll(/(\p{Ll})(\p{Lu})/gu, "$1_$2")
    .replaceAll(/[\s-]+/g, "_")
    .toLowerCase();
}

/** The value of the column of that name, else the one that the dots lead to: `annotations.0.text`. */
export function valueAt(row: Fields, path: string): unknown {
  if (Object.hasOwn(row, path)) return row[path];
  let value: unknown = row;
  for (const step of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Fields)[step];
  }
  return value;
}

/** The columns that a text such as `question=Frage,context=Text` names, if it does; a comma divides only where a name of ours and `=` follow. */
export function columnsOfText(text: string): Columns | undefined {
  const columns: Columns = {};
  for (const part of text.split(new RegExp(`,(?=\\s*(?:${givenColumnNames.join("|")})\\s*=)`))) {
    const [, name, own] = /^\s*(\w+)\s*=\s*(.*?)\s*$/s.exec(part) ?? [];
    const column = givenColumnNames.find((known) => known === name);
    if (column === undefined || own === "") return undefined;
    columns[column] = own;
  }
  return columns;
}

/**
 * The error for a record or a table that lacks columns.
 * @param what in words, after the file; "" for the file itself
 * @param names of its columns
 * @param columns those that the person named
 */
export function columnsUnknown(file: string, what: string, names: readonly string[], columns: Columns = {}): LecternError {
  const absent = Object.values(columns).filter((name) => !names.includes(name.split(".")[0]) && !names.includes(name));
  const { names: found } = nameColumns(emptyRow(names), columns);
  const missing = (["question", "context"] as const).filter((name) => found[name] === undefined);
  const toName = [...missing, ...(answerColumns.some((name) => name in found) ? [] : ["answer"])];
  const shown = names.slice(0, 30).map((name) => (name.length > 40 ? `${name.slice(0, 40)}…` : name));
  return new LecternError("DATA_COLUMNS", {
    message:
      absent.length > 0
        ? `${what === "" ? file : `${file}: ${what}`} has no ${absent.map((name) => `"${name}"`).join(" and no ")}, which columns names.`
        : `${what === "" ? file : `${file}: ${what}`} has no column that is known as the ${missing.join(" or the ")}.`,
    expected: "the columns question and context, and for all but prediction answer or answers",
    received: shown.length === 0 ? "no columns" : `${shown.join(", ")}${names.length > shown.length ? ", …" : ""}`,
    next:
      absent.length > 0
        ? "Correct the names: they are written as in the file, with dots into nested values."
        : `Name them: columns: { ${toName.map((name) => `${name}: …`).join(", ")} } in a recipe, --columns ${toName.map((name) => `${name}=…`).join(",")} on the command line; or convert the file as docs/data.md says.`,
  });
}
