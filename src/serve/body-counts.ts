/**
 * What a body holds is counted before anything is made of it: its depth, its keys, its lists. Parsing and validating take time and memory by
 * the value, and two megabytes can be a million of them; the count is one pass over the bytes, whose cost depends on their number alone.
 */
import { HttpError } from "./http-error.js";

/** A request is an object, with lists of strings at most; a few levels more are told by the place where they stand. */
export const deepest = 8;
/** A request has nine keys. */
export const mostKeys = 32;

export interface BodyCounts {
  /** Objects and lists within each other; nothing is counted beyond the level at which the limit is passed. */
  readonly depth: number;
  /** Of all objects together, repeated ones included. */
  readonly keys: number;
  /** Elements of the longest list that has more than one. */
  readonly longestList: number;
  /** Commas outside of strings: the values but the first of each object and list. */
  readonly commas: number;
}

const [quote, comma, colon, backslash] = [0x22, 0x2c, 0x3a, 0x5c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Counts what JSON holds. Of bytes that are not JSON it gives some counts.
 * @example countBody(Buffer.from('{"question": ["a", "b"]}')); // { depth: 2, keys: 1, longestList: 2, commas: 1 }
 */
export function countBody(bytes: Uint8Array): BodyCounts {
  let [depth, keys, longestList, commas] = [0, 0, 0, 0];
  /** Of the open objects and lists: the elements of a list so far, −∞ for an object. */
  const open: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote:
        for (at++; at < bytes.length && bytes[at] !== quote; at++) if (bytes[at] === backslash) at++;
        break;
      case comma:
        commas++;
        if (open.length > 0) longestList = Math.max(longestList, ++open[open.length - 1]);
        break;
      case colon:
        keys++;
        break;
      case openList:
      case openObject:
        open.push(bytes[at] === openList ? 1 : -Infinity);
        depth = Math.max(depth, open.length);
        if (depth > deepest) return { depth, keys, longestList, commas };
        break;
      case closeList:
      case closeObject:
        open.pop();
        break;
    }
  }
  return { depth, keys, longestList, commas };
}

/**
 * Refuses a body with more in it than any request has.
 * @throws HttpError INVALID_REQUEST, TOO_MANY_QUESTIONS
 */
export function checkCounts(bytes: Uint8Array, maxQuestions: number): void {
  const { depth, keys, longestList, commas } = countBody(bytes);
  if (depth > deepest) throw new HttpError("INVALID_REQUEST", `The body is nested more than ${deepest} deep: send an object with strings, or lists of strings.`);
  if (longestList > maxQuestions) {
    throw new HttpError("TOO_MANY_QUESTIONS", `A request may have ${maxQuestions} questions and as many contexts, this one has a list of ${longestList}.`);
  }
  if (keys > mostKeys) throw new HttpError("INVALID_REQUEST", `The body has ${keys} keys, and a request has at most ${mostKeys}.`);
  const mostCommas = mostKeys + 2 * maxQuestions;
  if (commas > mostCommas) throw new HttpError("INVALID_REQUEST", `The body has more than ${mostCommas} values: send one list of questions, and one of contexts.`);
}
