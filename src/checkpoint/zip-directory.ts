/**
 * Where the entries of a zip archive lie, by its central directory (APPNOTE.TXT of PKWARE, sections 4.3 and 4.5). PyTorch stores tensors
 * uncompressed, so that an entry is a stretch of the file; compressed or encrypted ones are refused. Readers of archives disagree on what
 * two entries of one name, entries that overlap or headers that contradict the directory mean: here these are errors.
 */
import { decodeName, FormatError } from "./format-error.js";
import { readUpTo } from "./weight-source.js";

/** The bytes of an entry. */
export interface ZipEntry {
  readonly start: number;
  readonly size: number;
}

/** A model of 160,000 tensors takes as much. */
const longestDirectory = 16 * 2 ** 20;
const endLength = 22;
const longestComment = 0xffff;

/**
 * The entries of an archive by their names.
 * @throws FormatError with what is wrong
 */
export function readZipDirectory(descriptor: number, fileSize: number): Map<string, ZipEntry> {
  const read = (position: number, length: number): DataView => {
    const bytes = new Uint8Array(length);
    if (position < 0 || readUpTo(descriptor, bytes, position) < length) throw new FormatError("it ends too early");
    return new DataView(bytes.buffer);
  };
  const { offset, size, count } = findDirectory(read, fileSize);
  const directory = read(offset, size);
  const entries = new Map<string, ZipEntry>();
  const stretches: { from: number; to: number }[] = [{ from: offset, to: fileSize }];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const entry = parseEntry(directory, at);
    at = entry.next;
    if (entries.has(entry.name)) throw new FormatError(`two entries have the name ${JSON.stringify(entry.name)}`);
    const header = read(entry.header, 30 + entry.nameLength);
    const isSame = header.getUint32(0, true) === 0x04034b50 && header.getUint16(26, true) === entry.nameLength;
    if (!isSame || nameAt(header, 30, entry.nameLength) !== entry.name) {
      throw new FormatError(`the header of ${JSON.stringify(entry.name)} is not the one that the directory promises`);
    }
    const start = entry.header + 30 + entry.nameLength + header.getUint16(28, true);
    entries.set(entry.name, { start, size: entry.size });
    stretches.push({ from: entry.header, to: start + entry.size });
  }
  stretches.sort((a, b) => a.from - b.from || a.to - b.to);
  for (let i = 1; i < stretches.length; i++) if (stretches[i].from < stretches[i - 1].to) throw new FormatError("its entries overlap");
  return entries;
}

type Read = (position: number, length: number) => DataView;

/** The end record is the file's last, but for a comment; beside it, in archives past 4 GB, is one with 64-bit numbers. */
function findDirectory(read: Read, fileSize: number): { offset: number; size: number; count: number } {
  const from = Math.max(0, fileSize - endLength - longestComment);
  const tail = read(from, fileSize - from);
  let at = tail.byteLength - endLength;
  while (at >= 0 && !(tail.getUint32(at, true) === 0x06054b50 && at + endLength + tail.getUint16(at + 20, true) === tail.byteLength)) at--;
  if (at < 0) throw new FormatError("it has no directory at its end");
  let [count, size, offset, end] = [tail.getUint16(at + 10, true), tail.getUint32(at + 12, true), tail.getUint32(at + 16, true), from + at];
  let disks = tail.getUint32(at + 4, true) === 0 && tail.getUint16(at + 8, true) === count;
  if (count === 0xffff || size === 0xffffffff || offset === 0xffffffff) {
    const locator = read(end - 20, 20);
    if (locator.getUint32(0, true) !== 0x07064b50) throw new FormatError("its directory has no 64-bit numbers");
    end = wide(locator, 8);
    const record = read(end, 56);
    if (record.getUint32(0, true) !== 0x06064b50) throw new FormatError("its directory has no 64-bit numbers");
    [count, size, offset] = [wide(record, 32), wide(record, 40), wide(record, 48)];
    disks = record.getUint32(16, true) === 0 && record.getUint32(20, true) === 0 && wide(record, 24) === count;
  }
  if (!disks) throw new FormatError("it is one part of several");
  if (size > longestDirectory) throw new FormatError(`a directory of ${size} bytes`);
  if (offset + size > end) throw new FormatError("its directory is not where it should be");
  return { offset, size, count };
}

interface DirectoryEntry {
  readonly name: string;
  readonly nameLength: number;
  readonly size: number;
  /** Where the entry's own header is in the file. */
  readonly header: number;
  /** Where the next entry is in the directory. */
  readonly next: number;
}

function parseEntry(directory: DataView, at: number): DirectoryEntry {
  const isThere = at + 46 <= directory.byteLength && directory.getUint32(at, true) === 0x02014b50;
  if (!isThere) throw new FormatError("its directory is damaged");
  const [flags, method] = [directory.getUint16(at + 8, true), directory.getUint16(at + 10, true)];
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => directory.getUint16(at + field, true));
  const next = at + 46 + nameLength + extraLength + commentLength;
  if (next > directory.byteLength) throw new FormatError("its directory is damaged");
  const name = nameAt(directory, at + 46, nameLength);
  const extra = at + 46 + nameLength;
  // Numbers that take more than 32 bits stand in an extra field, in this order.
  const wideFields = wideNumbers(directory, extra, extra + extraLength);
  const [size, packed, header] = [24, 20, 42].map((field) => {
    const narrow = directory.getUint32(at + field, true);
    return narrow === 0xffffffff ? wideFields() : narrow;
  });
  if ((flags & 1) !== 0) throw new FormatError(`${JSON.stringify(name)} is encrypted`);
  if (method !== 0 || packed !== size) throw new FormatError(`${JSON.stringify(name)} is compressed, which PyTorch's files never are`);
  return { name, nameLength, size, header, next };
}

function wideNumbers(directory: DataView, from: number, to: number): () => number {
  let [at, end] = [from, from];
  for (let field = from; field + 4 <= to; field += 4 + directory.getUint16(field + 2, true)) {
    if (directory.getUint16(field, true) === 1) [at, end] = [field + 4, Math.min(to, field + 4 + directory.getUint16(field + 2, true))];
  }
  return () => {
    if (at + 8 > end) throw new FormatError("its directory has no 64-bit numbers");
    at += 8;
    return wide(directory, at - 8);
  };
}

/** A 64-bit number; one that no file reaches is an error. */
function wide(view: DataView, at: number): number {
  const value = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(value)) throw new FormatError(`a place or size of ${value}`);
  return value;
}

function nameAt(view: DataView, at: number, length: number): string {
  return decodeName(new Uint8Array(view.buffer, view.byteOffset + at, length));
}
