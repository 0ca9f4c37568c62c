/**
 * Values of unknown shape, briefly and for certain: for the line of an error that says what came. (JSON.stringify of what a foreign file
 * holds may be endless, or too deep for the stack.)
 */

/** A value in a few words: `the text "a"`, `a list of 3`, `an object with id, title`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) {
    const isShort = value.length <= 8 && value.every((item) => typeof item === "number" || typeof item === "boolean" || item === null);
    return isShort ? `the list [${value.join(", ")}]` : `a list of ${value.length}`;
  }
  if (typeof value === "object") {
    const keys = Object.keys(value);
    const shown = keys.slice(0, 8).map((key) => cut(key, 40));
    return keys.length === 0 ? "an empty object" : `an object with ${shown.join(", ")}${keys.length > 8 ? ", …" : ""}`;
  }
  if (typeof value === "string") return value === "" ? "an empty text" : `the text ${JSON.stringify(cut(value, 60))}`;
  return `${typeof value} ${String(value)}`;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
