/**
 * Predictions and no-answer scores as files: JSON objects {id: text} and {id: number}, as the official SQuAD scripts take them. They become
 * maps in the order of the file: objects would move ids that look like integers to the front, and the order decides between equal scores.
 */
import { closeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { openPlainFile } from "../files/plain-file.js";
import { describeValue } from "../text/describe-value.js";
import { LecternError } from "../errors.js";
import { decodeText, parseJson } from "../data/json-text.js";

/** @throws LecternError FILE_MISSING, FILE_NOT_READABLE, DATA_SYNTAX, PREDICTIONS_CORRUPT */
export async function readPredictions(file: string): Promise<Map<string, string>> {
  return readMap(file, "a text for every id", (value) => typeof value === "string");
}

/** @throws LecternError FILE_MISSING, FILE_NOT_READABLE, DATA_SYNTAX, PREDICTIONS_CORRUPT */
export async function readNoAnswerScores(file: string): Promise<Map<string, number>> {
  return readMap(file, "a number for every id", (value) => typeof value === "number");
}

async function readMap<T>(file: string, expected: string, isRight: (value: unknown) => value is T): Promise<Map<string, T>> {
  closeSync(openPlainFile(file, "a JSON file of predictions or no-answer scores").descriptor);
  const bytes = await readFile(file);
  const text = decodeText(bytes, file);
  const value = parseJson(text, file);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw corrupt(`${file} is not a JSON object.`, expected, Array.isArray(value) ? "a list" : String(value));
  }
  const values = new Map(Object.entries(value));
  for (const [id, one] of values) {
    if (!isRight(one)) throw corrupt(`${file}: the value of ${JSON.stringify(id)} is wrong.`, expected, describeValue(one));
  }
  return inFileOrder(text, values as Map<string, T>);
}

/** In valid JSON every string before a colon is a key, and strings within strings have their quotes escaped. */
function inFileOrder<T>(text: string, values: Map<string, T>): Map<string, T> {
  const ordered = new Map<string, T>();
  for (const [, literal, colon] of text.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?/gs)) {
    if (colon === undefined) continue;
    const id = JSON.parse(literal) as string;
    ordered.set(id, values.get(id)!);
  }
  return ordered;
}

function corrupt(message: string, expected: string, received: string): LecternError {
  return new LecternError("PREDICTIONS_CORRUPT", {
    message,
    expected,
    received,
    next: "Write the file as {id: value}, as lectern evaluate does.",
  });
}
