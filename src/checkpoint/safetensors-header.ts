/**
 * The header of a safetensors file: 8 bytes of length (little-endian), then that many bytes of JSON naming each tensor's type, shape and
 * place in the data that follows (https://huggingface.co/docs/safetensors, "Format"). Everything the format promises is checked here, since
 * what comes later trusts it: no gap, no overlap, nothing outside the file, and every byte count equal to its shape times its type.
 */
import { LecternError } from "../errors.js";
import { bytesPerElement, elementCount, isSafetensorsDtype, safetensorsDtypes } from "./dtypes.js";
import { describeValue } from "../text/describe-value.js";
import { findRepeatedKey } from "./json-keys.js";
import type { TensorInfo } from "./weight-source.js";

/** A tensor's bytes, from `start` up to `end`, counted from the beginning of the data. */
export interface TensorPlace extends TensorInfo {
  start: number;
  end: number;
}

export interface SafetensorsHeader {
  tensors: Map<string, TensorPlace>;
  metadata: Record<string, string>;
}

/**
 * Room for 160,000 tensors, more than any file has. (Python's safetensors accepts 100 MB; a header of that length made of tiny entries takes
 * 3.9 GB and a minute to read.)
 */
export const longestHeader = 16 * 2 ** 20;

/** What is wrong with a safetensors file, in the project's form. */
export function corrupt(file: string, problem: { tensor?: string; message: string; expected?: string; received?: string }): LecternError {
  const place = problem.tensor === undefined ? "" : `, tensor ${JSON.stringify(problem.tensor)}`;
  return new LecternError("SAFETENSORS_CORRUPT", {
    message: `${file} is not a whole safetensors file${place}: ${problem.message}.`,
    expected: problem.expected,
    received: problem.received,
    next: "Download or copy the file again; if it was written by a run that stopped, use its previous checkpoint.",
  });
}

/** The length of the header, from the file's first 8 bytes and its size. */
export function parseHeaderLength(file: string, first: Uint8Array, fileSize: number): number {
  if (first.length < 8) {
    throw corrupt(file, { message: "it ends before its header", expected: "at least 8 bytes", received: `${first.length} bytes` });
  }
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(longestHeader)) {
    throw corrupt(file, { message: "its header is too long", expected: `at most ${longestHeader} bytes`, received: `${length} bytes` });
  }
  if (length > BigInt(fileSize - 8)) {
    throw corrupt(file, { message: "it ends inside its header", expected: `${length} bytes of header`, received: `${fileSize - 8} bytes` });
  }
  return Number(length);
}

/**
 * @param json the header's bytes
 * @param dataBytes how many bytes follow the header in the file
 */
export function parseHeader(file: string, json: Uint8Array, dataBytes: number): SafetensorsHeader {
  const entries = parseObject(file, json);
  const metadata = parseMetadata(file, entries["__metadata__"]);
  const tensors = new Map<string, TensorPlace>();
  for (const [name, entry] of Object.entries(entries)) {
    if (name !== "__metadata__") tensors.set(name, parseTensor(file, name, entry, dataBytes));
  }
  checkPlaces(file, tensors, dataBytes);
  return { tensors, metadata };
}

function parseObject(file: string, json: Uint8Array): Record<string, unknown> {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
    value = JSON.parse(text);
  } catch (error) {
    throw corrupt(file, {
      message: "its header is not JSON",
      expected: "a JSON object in UTF-8",
      received: error instanceof Error ? error.message : undefined,
    });
  }
  if (!isObject(value)) throw corrupt(file, { message: "its header is not a JSON object", received: text.slice(0, 40) });
  const repeated = findRepeatedKey(text, 2);
  if (repeated !== undefined) {
    throw corrupt(file, { message: `its header has the key ${JSON.stringify(repeated)} twice`, expected: "every name once" });
  }
  return value;
}

function parseMetadata(file: string, value: unknown): Record<string, string> {
  if (value === undefined) return {};
  const valid = isObject(value) && Object.values(value).every((text) => typeof text === "string");
  if (!valid) throw corrupt(file, { message: "its __metadata__ is not an object of texts", received: describeValue(value) });
  return value as Record<string, string>;
}

function parseTensor(file: string, tensor: string, entry: unknown, dataBytes: number): TensorPlace {
  if (!isObject(entry)) throw corrupt(file, { tensor, message: "its entry is not an object", received: describeValue(entry) });
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isSafetensorsDtype(dtype)) {
    throw corrupt(file, {
      tensor,
      message: "its element type is not one that Lectern reads",
      expected: safetensorsDtypes.join(", "),
      received: describeValue(dtype),
    });
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw corrupt(file, { tensor, message: "its shape is not valid", expected: "a list of sizes", received: describeValue(shape) });
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1]) {
    throw corrupt(file, { tensor, message: "its data_offsets are not valid", expected: "[start, end]", received: describeValue(offsets) });
  }
  const [start, end] = offsets as [number, number];
  if (end > dataBytes) {
    throw corrupt(file, {
      tensor,
      message: "its data lies past the end of the file",
      expected: `${end} bytes of data`,
      received: `${dataBytes} bytes`,
    });
  }
  const bytes = elementCount(shape) * bytesPerElement(dtype);
  if (bytes !== end - start) {
    throw corrupt(file, {
      tensor,
      message: "its byte count is not that of its shape",
      expected: `${bytes} bytes for ${dtype} [${shape.join(", ")}]`,
      received: `${end - start} bytes`,
    });
  }
  return { dtype, shape: shape as number[], start, end };
}

/** The tensors must tile the data: each begins where the one before it ends, and the last ends with the file. */
function checkPlaces(file: string, tensors: Map<string, TensorPlace>, dataBytes: number): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let position = 0;
  for (const [tensor, { start, end }] of inOrder) {
    if (start !== position) {
      const message = start < position ? "its data overlaps that of another tensor" : "there is a gap before its data";
      throw corrupt(file, { tensor, message, expected: `data from byte ${position}`, received: `data from byte ${start}` });
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw corrupt(file, { message: "bytes follow its last tensor", expected: `${position} bytes of data`, received: `${dataBytes} bytes` });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
