/** Lists and objects that stand in a text: what a table has where the data had nested values, in JSON or as Python prints them. */
import { parsePythonLiteral } from "./python-literal.js";

/** The value that a text holds if it begins as a list or an object does and is one; anything else as it is. */
export function structured(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*([[{]|array\()/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return parsePythonLiteral(value) ?? value;
  }
}
