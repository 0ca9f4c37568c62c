/**
 * Text and JSON of data files. UTF-8 only, a byte order mark is skipped. Lines end at line feeds and nowhere else: JSON texts may hold
 * U+2028 and the like, at which Node's readline would cut.
 */
import { createReadStream } from "node:fs";
import { LecternError } from "../errors.js";
import { describeBytes } from "../files/plain-file.js";

/** A line of a file. */
export interface Line {
  /** From 1. */
  number: number;
  /**
   * Without white space at its ends.
   * @throws LecternError DATA_SYNTAX when it is not UTF-8
   */
  text(): string;
}

/**
 * The lines of a file one by one, without holding the file in memory; empty lines are left out.
 * @param chunks the file in UTF-8, where it is not to be read as it lies there
 */
export async function* readLines(file: string, chunks: AsyncIterable<Buffer> = bytesOf(file)): AsyncGenerator<Line> {
  let rest: Buffer[] = [];
  let number = 0;
  const lineOf = (bytes: Uint8Array): Line | undefined => {
    const own = ++number;
    if (bytes.every((byte) => byte === 0x20 || (byte >= 9 && byte <= 13))) return undefined;
    return { number: own, text: () => decodeText(bytes, `${file}: line ${own}`, own === 1).trim() };
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = lineOf(Buffer.concat([...rest, chunk.subarray(start, end)]));
      if (line !== undefined) yield line;
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  const last = lineOf(Buffer.concat(rest));
  if (last !== undefined) yield last;
}

const bytesOf = (file: string): AsyncIterable<Buffer> => createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;

/**
 * Bytes as text.
 * @param what names the bytes in the error
 * @throws LecternError DATA_SYNTAX when they are not UTF-8
 */
export function decodeText(bytes: Uint8Array, what: string, skipByteOrderMark = true): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: !skipByteOrderMark }).decode(bytes);
  } catch (error) {
    throw new LecternError(
      "DATA_SYNTAX",
      {
        message: `${what} is not UTF-8 text.`,
        expected: "JSON, JSON lines, CSV, TSV or parquet",
        received: describeBytes(bytes),
        next: 'Save the file as UTF-8 (in a spreadsheet program as "CSV UTF-8").',
      },
      { cause: error },
    );
  }
}

/**
 * JSON as a value. NaN and Infinity, which Python's `json` writes for what a data frame lacks, are null.
 * @param what names the text in the error
 * @throws LecternError DATA_SYNTAX with line and column
 */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const plain = /NaN|Infinity/.test(text) ? text.replaceAll(textOrNotFinite, (found) => (found.startsWith('"') ? found : "null")) : text;
    if (plain !== text) return parseJson(plain, what);
    const reason = error instanceof Error ? error.message : String(error);
    throw new LecternError(
      "DATA_SYNTAX",
      {
        message: `${what} is not valid JSON${positionIn(text, reason)}.`,
        expected: "JSON (RFC 8259), in JSON lines one object a line",
        received: text.trim() === "" ? "an empty file" : reason.replaceAll(/\s+/g, " ").slice(0, 160),
        next: "Correct the file there; if it was downloaded, download it again.",
      },
      { cause: error },
    );
  }
}

const textOrNotFinite = /"[^"\\]*(?:\\[^][^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g;

function positionIn(text: string, reason: string): string {
  const position = / at position (\d+)/.exec(reason)?.[1];
  const end = position !== undefined ? Number(position) : reason.includes("end of JSON") ? text.length : undefined;
  if (end === undefined) return "";
  const before = text.slice(0, end);
  const lineStart = before.lastIndexOf("\n") + 1;
  const column = `column ${end - lineStart + 1}`;
  return text.includes("\n") ? ` (line ${before.split("\n").length}, ${column})` : ` (${column})`;
}
