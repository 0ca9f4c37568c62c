/**
 * Reading values of unknown shape out of data files, so that a wrong one is an error that names the file, the place in it and what was found.
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

/** The error for a value that is missing or not what it should be. */
export function fieldError(place: Place, expected: string, received: unknown, next?: string): LecternError {
  return new LecternError("DATA_FIELD", {
    message: `${place.file}: ${place.path === "" ? "the file" : place.path} is ${received === undefined ? "missing" : "not what it should be"}.`,
    expected,
    received: describeValue(received),
    next: next ?? "Correct the data there; docs/data.md shows the forms that are read.",
  });
}

export function asFields(value: unknown, place: Place, expected = "an object"): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw fieldError(place, expected, value);
  return value as Fields;
}

export function asList(value: unknown, place: Place, expected = "a list"): unknown[] {
  if (!Array.isArray(value)) throw fieldError(place, expected, value);
  return value;
}

export function asText(value: unknown, place: Place): string {
  if (typeof value !== "string") throw fieldError(place, "a text", value);
  return value;
}

/** A text with something in it besides white space. */
export function asFilledText(value: unknown, place: Place): string {
  const text = asText(value, place);
  if (text.trim() === "") throw fieldError(place, "a text that is not empty", text);
  return text;
}

/** A whole number; parquet's 64-bit integers arrive as bigint. */
export function asInteger(value: unknown, place: Place): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number)) throw fieldError(place, "a whole number", value);
  return number;
}

/** An identifier: a text, or a number written as one. */
export function asId(value: unknown, place: Place): string {
  if (typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value))) return String(value);
  return asText(value, place);
}
