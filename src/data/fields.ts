/**
 * Reading values of unknown shape out of data files, so that a wrong one is an error that names the file, the place in it and what was found.
 * What other tools write for the same thing is read: numbers as identifiers and texts, places as texts, flags as words or digits.
 */
import { LecternError } from "../errors.js";
import { describeValue } from "../text/describe-value.js";

/** Where a value stands: a file and a path in it (`data[0].paragraphs[2].qas[1].id`, `line 17`, `row 3`). */
export interface Place {
  file: string;
  path: string;
}

export type Fields = Record<string, unknown>;

/** The place one step further in. */
export function at({ file, path }: Place, step: string | number): Place {
  if (typeof step === "number") return { file, path: `${path}[${step}]` };
  if (path === "") return { file, path: step };
  return { file, path: `${path}${/^(line|row) \d+$/.test(path) ? ": " : "."}${step}` };
}

/** A value that is missing or not what it should be. */
export class FieldError extends LecternError {
  readonly place: Place;
  readonly isMissing: boolean;

  constructor(place: Place, expected: string, received: unknown, next?: string) {
    const isMissing = isAbsent(received);
    super("DATA_FIELD", {
      message: `${place.file}: ${place.path === "" ? "the file" : place.path} is ${isMissing ? "missing" : "not what it should be"}.`,
      expected,
      received: describeValue(received),
      next: next ?? "Correct the data there; docs/data.md shows the forms that are read.",
    });
    this.place = place;
    this.isMissing = isMissing;
  }
}

/** Tables and parquet files give null for what a row does not have. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function asFields(value: unknown, place: Place, expected = "an object"): Fields {
  if (!isFields(value)) throw new FieldError(place, expected, value);
  return value;
}

export function asList(value: unknown, place: Place, expected = "a list"): unknown[] {
  if (!Array.isArray(value)) throw new FieldError(place, expected, value);
  return value;
}

export function asText(value: unknown, place: Place): string {
  if (typeof value !== "string") throw new FieldError(place, "a text", value);
  return value;
}

/** A text with something in it besides white space. */
export function asFilledText(value: unknown, place: Place): string {
  const text = asText(value, place);
  if (text.trim() === "") throw new FieldError(place, "a text that is not empty", text);
  return text;
}

/** A text, or a number written as one; undefined where there is none. */
export function asTextOrNumber(value: unknown, place: Place): string | undefined {
  if (isAbsent(value)) return undefined;
  if (typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value))) return String(value);
  if (typeof value !== "string") throw new FieldError(place, "a text or a number", value);
  return value;
}

/** An identifier: a text, or a number written as one; undefined where there is none or it is blank. */
export function asId(value: unknown, place: Place): string | undefined {
  const id = asTextOrNumber(value, place);
  return id === undefined || id.trim() === "" ? undefined : id;
}

/** The text of an answer; null and white space say that there is none, which is "". */
export function asAnswerText(value: unknown, place: Place): string {
  const text = asTextOrNumber(value, place) ?? "";
  return text.trim() === "" ? "" : text;
}

/**
 * Where an answer begins: a whole number, also as a text ("44", "44.0", as spreadsheets and data frames write them) or as parquet's 64-bit
 * integer. Undefined where there is none, or one below 0, which some tools write for it.
 */
export function asStart(value: unknown, place: Place): number | undefined {
  if (isAbsent(value) || (typeof value === "string" && value.trim() === "")) return undefined;
  const isNumber = typeof value === "string" && /^\s*[+-]?\d+(\.0*)?\s*$/.test(value);
  const start = typeof value === "bigint" || isNumber ? Number(value) : value;
  if (typeof start !== "number" || !Number.isSafeInteger(start)) throw new FieldError(place, "a whole number", value);
  return start < 0 ? undefined : start;
}

const flags: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["yes", true],
  ["1", true],
  ["1.0", true],
  ["false", false],
  ["no", false],
  ["0", false],
  ["0.0", false],
]);

/** Yes or no, also as a word or a digit; undefined where there is none. */
export function asFlag(value: unknown, place: Place): boolean | undefined {
  if (isAbsent(value) || (typeof value === "string" && value.trim() === "")) return undefined;
  const flag = ["boolean", "number", "bigint", "string"].includes(typeof value) ? flags.get(String(value).trim().toLowerCase()) : undefined;
  if (flag === undefined) throw new FieldError(place, "true or false", value);
  return flag;
}
