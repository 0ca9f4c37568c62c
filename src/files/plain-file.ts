/**
 * Reading files that others made. A name may turn out to be a FIFO, at which a reader waits for ever, a device that never ends, a link to a
 * secret, or a file of a size that no file of its kind has: all of these are told as errors, before anything of them is read.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from "node:fs";
import path from "node:path";
import { LecternError } from "../errors.js";
import { readingError } from "./system-errors.js";

/** An open file; the caller closes the descriptor. */
export interface PlainFile {
  descriptor: number;
  size: number;
}

/**
 * Opens a file for reading if it is a plain one.
 * @param what the thing for the message: "the index of the weights"
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE
 */
export function openPlainFile(file: string, what: string): PlainFile {
  let descriptor: number;
  try {
    // Non-blocking: opening a FIFO otherwise waits until someone writes to it. (Windows has neither.)
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw readingError(error, file, what);
  }
  const found = fstatSync(descriptor);
  if (found.isFile()) return { descriptor, size: found.size };
  closeSync(descriptor);
  throw new LecternError("FILE_NOT_READABLE", {
    message: `${file} is not a plain file.`,
    expected: what,
    received: found.isDirectory() ? "a folder" : found.isFIFO() ? "a pipe" : "a device or a socket",
    next: found.isFIFO() ? "Write the data into a file first, and name that." : "Name a file.",
  });
}

export interface TextFile {
  /** The thing for the message: "a model's configuration". */
  what: string;
  /** The most bytes that a file of this kind has. */
  limit: number;
}

/**
 * The text of a file in UTF-8, without its byte order mark.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, FILE_TOO_LARGE
 */
export function readPlainText(file: string, kind: TextFile): string {
  return decodeUtf8(readPlainBytes(file, kind), file, kind.what);
}

/** The content of a file, whatever it is. Throws as `readPlainText`. */
function readPlainBytes(file: string, { what, limit }: TextFile): Buffer {
  const { descriptor, size } = openPlainFile(file, what);
  try {
    if (size > limit) throw tooLarge(file, what, limit, size);
    return readFileSync(descriptor);
  } catch (error) {
    throw readingError(error, file, what);
  } finally {
    closeSync(descriptor);
  }
}

function decodeUtf8(bytes: Buffer, file: string, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new LecternError("FILE_NOT_READABLE", {
      message: `${file} is not UTF-8 text.`,
      expected: what,
      received: describeBytes(bytes),
      next: "Save the file as UTF-8, or check that it is the file you meant.",
    });
  }
}

/** What bytes that are not UTF-8 are, as far as their beginning tells. */
export function describeBytes(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return "UTF-16 text";
  if (first === 0x1f && second === 0x8b) return "a gzip archive";
  if (first === 0x50 && second === 0x4b) return "a zip archive";
  return bytes.subarray(0, 8192).includes(0) ? "a binary file" : "text in another encoding";
}

/**
 * The path of a file of a model folder, if it lies there. A link may lead to another file of the folder or, in the hub's cache
 * (models--ORG--NAME/snapshots/COMMIT/file → …/blobs/…), to a content of the same model; one that leads elsewhere is refused, since whoever
 * made the folder could name any file of this machine.
 * @param name the file's name, or its path in the folder: "onnx/model.onnx"
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, FILE_OUTSIDE_FOLDER
 * @example const weights = openSafetensors(containedFile(folder, "model.safetensors", "the model's weights"));
 */
export function containedFile(folder: string, name: string, what: string): string {
  const file = path.join(folder, name);
  let home: string;
  let real: string;
  try {
    home = realpathSync.native(folder);
    real = realpathSync.native(file);
  } catch (error) {
    throw readingError(error, file, what);
  }
  if (isWithin(home, real) || path.dirname(real) === blobsOf(home)) return file;
  throw new LecternError("FILE_OUTSIDE_FOLDER", {
    message: `${file} leads out of its folder, and is not read.`,
    expected: `${what}, in ${home}`,
    received: real,
    next: "If you trust it, put a copy of the file itself in the place of the link.",
  });
}

/** The text of a file of a model folder: `readPlainText` of a `containedFile`. */
export function readContainedText(folder: string, name: string, kind: TextFile): string {
  return readPlainText(containedFile(folder, name, kind.what), kind);
}

/** The content of a file of a model folder, of a kind that is no text. Throws as `readContainedText`. */
export function readContainedBytes(folder: string, name: string, kind: TextFile): Uint8Array {
  return readPlainBytes(containedFile(folder, name, kind.what), kind);
}

function isWithin(folder: string, file: string): boolean {
  const steps = path.relative(folder, file).split(path.sep);
  return steps[0] !== ".." && steps[0] !== "" && !path.isAbsolute(steps.join(path.sep));
}

/** The blobs of the model of the hub's cache that a folder is a snapshot of, or lies in one. */
function blobsOf(folder: string): string | undefined {
  for (let snapshot = folder; path.dirname(snapshot) !== snapshot; snapshot = path.dirname(snapshot)) {
    const snapshots = path.dirname(snapshot);
    const model = path.dirname(snapshots);
    if (path.basename(snapshots) === "snapshots" && path.basename(model).startsWith("models--")) return path.join(model, "blobs");
  }
  return undefined;
}

/**
 * Whether a name from a foreign list (an index, the hub) is that of a file, in one folder, on every system: no path, no drive (`C:x`), no
 * stream (`x:y`), no device of Windows (`NUL.txt`), nothing that a terminal would act on.
 */
export function isPlainName(name: unknown): name is string {
  return (
    typeof name === "string" &&
    /^[^/\\:*?"<>|\p{Cc}]{1,200}$/u.test(name) &&
    !/^\.+$/.test(name) &&
    !/[. ]$/.test(name) &&
    !/^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i.test(name)
  );
}

function tooLarge(file: string, what: string, limit: number, size: number): LecternError {
  return new LecternError("FILE_TOO_LARGE", {
    message: `${file} is larger than it can be.`,
    expected: `${what}, at most ${limit / 2 ** 20} MiB`,
    received: `${(size / 2 ** 20).toFixed(1)} MiB`,
    next: "Check that it is the file you meant.",
  });
}
