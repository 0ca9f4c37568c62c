/**
 * The records in a JSON value: its items where it is a list, those under `data` (as SQuAD and many exports have it) or under another name whose
 * list holds records (`rows` of the Hub's viewer), a table by columns or by names of rows (as pandas writes one), or the value itself where
 * it is one record.
 */
import { LecternError } from "../errors.js";
import { nameColumns } from "./columns.js";
import { asFields, asTextOrNumber, at, FieldError, type Fields, isFields, type Place } from "./fields.js";
import type { DataFile } from "./question-files.js";
import type { RecordReader } from "./record-reader.js";

export interface JsonRecord {
  value: unknown;
  place: Place;
}

/**
 * @param facts where the file's version is noted
 * @param reader knows what a record is
 * @throws LecternError DATA_FIELD for a value that is no record and holds none, DATA_FORM for one that holds several lists of them
 */
export function recordsOf(root: unknown, facts: DataFile, reader: RecordReader): Iterable<JsonRecord> {
  const place = { file: facts.path, path: "" };
  if (Array.isArray(root)) return items(root, place);
  const fields = asFields(root, place, "an object or a list");
  const { data } = fields;
  facts.version = asTextOrNumber(fields["version"], at(place, "version"));
  const isRecord = (value: unknown): boolean => isFields(value) && reader.knows(value);
  const table = tableOf(fields, reader);
  if (table !== undefined) return table.map((value, row) => ({ value, place: { ...place, path: `row ${row}` } }));
  if (Array.isArray(data)) return items(data, at(place, "data"));
  if (isRecord(fields)) return [{ value: fields, place }];
  const lists = Object.entries(fields).flatMap(([name, value]) =>
    Array.isArray(value) && isRecord(unwrapped(value[0])) ? [{ name, value }] : [],
  );
  if (lists.length > 1) throw severalLists(facts.path, lists);
  for (const { name, value } of lists) return items(value, at(place, name));
  const named = Object.entries(fields).filter(([, value]) => isFields(value));
  if (named.length > 0 && isRecord(named[0][1])) return named.map(([name, value]) => ({ value, place: at(place, name) }));
  throw new FieldError(at(place, "data"), "SQuAD's list of articles, or rows", data);
}

function severalLists(file: string, lists: readonly { name: string }[]): LecternError {
  return new LecternError("DATA_FORM", {
    message: `${file} holds several lists of records.`,
    expected: "one list, or the list that is meant under data",
    received: lists.map(({ name }) => name).join(", "),
    next: "Write each to a file of its own, and name the one that is meant.",
  });
}

function* items(list: readonly unknown[], place: Place): Generator<JsonRecord> {
  for (const [i, item] of list.entries()) yield { value: unwrapped(item), place: at(place, i) };
}

/** The Hub's viewer has each row in an object with its number. */
function unwrapped(item: unknown): unknown {
  return isFields(item) && "row_idx" in item && "row" in item ? item["row"] : item;
}

/**
 * The rows of a table: lists of cells beside the names of their columns, or for each column a list, or an object by names of rows. These are what
 * pandas' `to_json` and `to_dict` give.
 */
function tableOf(fields: Fields, reader: RecordReader): Fields[] | undefined {
  const { columns, data } = fields;
  if (Array.isArray(columns) && Array.isArray(data) && data.length > 0 && data.every(Array.isArray)) {
    return data.map((cells: unknown[]) => Object.fromEntries(columns.map((name, column) => [String(name), cells[column]])));
  }
  const { question, context } = nameColumns(fields, reader.columns).fields;
  if (![question, context].every((column) => typeof column === "object" && column !== null)) return undefined;
  const lists = Object.entries(fields).filter((entry): entry is [string, Fields] => typeof entry[1] === "object" && entry[1] !== null);
  return Object.keys(question as object).map((row) => Object.fromEntries(lists.map(([name, values]) => [name, values[row]])));
}
