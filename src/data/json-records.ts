/**
 * The records in a JSON value: its items where it is a list, those under `data` (as SQuAD and many exports have it), `rows` (the Hub's viewer)
 * or `examples`, a table by columns or by row names (as pandas writes one), or the value itself where it is one record.
 */
import { nameColumns } from "./columns.js";
import { asFields, asTextOrNumber, at, FieldError, type Fields, type Place } from "./fields.js";
import type { DataFile } from "./question-files.js";

export interface JsonRecord {
  value: unknown;
  place: Place;
}

/**
 * @param isRecord whether an object is of a form that is known
 * @throws LecternError DATA_FIELD for a value that is no record and holds none
 */
export function recordsOf(root: unknown, facts: DataFile, isRecord: (fields: Fields) => boolean): Iterable<JsonRecord> {
  const place = { file: facts.path, path: "" };
  if (Array.isArray(root)) return items(root, place);
  const fields = asFields(root, place, "an object or a list");
  facts.version = asTextOrNumber(fields["version"], at(place, "version"));
  for (const name of ["data", "Data", "rows", "examples"]) {
    const list = fields[name];
    if (Array.isArray(list)) return items(list, at(place, name));
  }
  if (isRecord(fields)) return [{ value: fields, place }];
  const columns = columnsOf(fields);
  if (columns !== undefined) return columns.map((value, row) => ({ value, place: { file: facts.path, path: `row ${row}` } }));
  const named = Object.entries(fields).filter(([, value]) => typeof value === "object" && value !== null && !Array.isArray(value));
  const [first] = named;
  if (first !== undefined && isRecord(first[1] as Fields)) return named.map(([name, value]) => ({ value, place: at(place, name) }));
  throw new FieldError(at(place, "data"), "SQuAD's list of articles, or rows", fields["data"]);
}

function* items(list: readonly unknown[], place: Place): Generator<JsonRecord> {
  for (const [i, item] of list.entries()) {
    const isWrapped = typeof item === "object" && item !== null && "row_idx" in item && "row" in item;
    yield { value: isWrapped ? item.row : item, place: at(place, i) };
  }
}

/** The rows of a table that has a list, or an object by row names, for each column: what `to_json` and `to_dict("list")` of pandas give. */
function columnsOf(fields: Fields): Fields[] | undefined {
  const { question, context } = nameColumns(fields).fields;
  if (![question, context].every((column) => typeof column === "object" && column !== null)) return undefined;
  const columns = Object.entries(fields).filter((entry): entry is [string, Fields] => typeof entry[1] === "object" && entry[1] !== null);
  return Object.keys(question as object).map((row) => Object.fromEntries(columns.map(([name, values]) => [name, values[row]])));
}
