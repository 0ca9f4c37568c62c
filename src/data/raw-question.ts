/**
 * A question as a file holds it: what every reader of a form yields. Readers translate the shape only; what an empty text, a flag, a repeated
 * id or a missing place mean is decided once for all forms, where examples are made of raw questions (examples.ts). A row that cannot be read
 * is yielded as well, as a `BadRow`: it does not end the file.
 */
import { type ErrorCode, LecternError } from "../errors.js";
import { FieldError, type Place } from "./fields.js";

export interface RawQuestion {
  /** Undefined where the row has none. */
  id: string | undefined;
  title: string | undefined;
  question: string;
  /** May be blank. */
  context: string;
  /** Undefined where the file says nothing of answers, an empty list where it says that there are none. */
  answers: RawAnswer[] | undefined;
  /** What the file's own flag (`is_impossible`) says; undefined where it has none. */
  impossible: boolean | undefined;
  place: Place;
}

export interface RawAnswer {
  /** "" says that there is no answer. */
  text: string;
  /** Where the answer begins, in Unicode code points of the context, as Python counts; undefined where the file does not say. */
  start: number | undefined;
}

/** A row that cannot be read. */
export interface BadRow {
  place: Place;
  /** What is wrong with it, the same words for all rows of which it is wrong: `question is missing`. */
  kind: string;
  error: LecternError;
}

export function isBadRow(row: object): row is BadRow {
  return "error" in row;
}

/**
 * What reading a row gives, or the row as a bad one where reading it throws a `LecternError`.
 * @param place where the row stands
 * @example
 * yield orBadRow(place, () => readRow(fields, place));
 */
export function orBadRow<T>(place: Place, read: () => T): T | BadRow {
  try {
    return read();
  } catch (error) {
    if (error instanceof LecternError) return { place, kind: kindOf(error, place), error };
    throw error;
  }
}

const kindsOfCodes: Partial<Record<ErrorCode, string>> = {
  DATA_SYNTAX: "not JSON in UTF-8",
  DATA_COLUMNS: "no column that is known, or named, as the question or the context",
  DATA_FORM: "of a form that is not read",
};

/**
 * The rows that reading a record gives; where it throws a `LecternError`, what it gave before and the record as a bad row.
 * @param place where the record stands
 */
export function* orBadRows(place: Place, read: () => Iterable<RawQuestion | BadRow>): Generator<RawQuestion | BadRow> {
  const rows = orBadRow(place, () => read()[Symbol.iterator]());
  if ("error" in rows) return yield rows;
  for (;;) {
    const next = orBadRow(place, () => rows.next());
    if ("error" in next) return yield next;
    if (next.done === true) return;
    yield next.value;
  }
}

/** The field within the row and what is wrong with it; list positions are left out, so that rows with the same fault have the same kind. */
function kindOf(error: LecternError, row: Place): string {
  if (!(error instanceof FieldError)) return kindsOfCodes[error.code] ?? "answers are missing";
  const field = error.place.path
    .slice(row.path.length)
    .replace(/^[.: ]+/, "")
    .replaceAll(/\[\d+\]/g, "[]");
  return `${field === "" ? "the row" : field} is ${error.isMissing ? "missing" : "not what it should be"}`;
}
