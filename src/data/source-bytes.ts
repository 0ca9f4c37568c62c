/**
 * The bytes of a data file as a stream of UTF-8, in the wrappings that people's files come in: gzip (as data sets are published) and UTF-16
 * (as Excel and Windows write it). Archives, spreadsheets and other binary files are refused by name.
 */
import { closeSync, createReadStream, readSync } from "node:fs";
import path from "node:path";
import { createGunzip } from "node:zlib";
import { LecternError } from "../errors.js";
import { openPlainFile } from "../files/plain-file.js";
import { readingError } from "../files/system-errors.js";

const what = "a file with questions";
/** How much of the beginning is enough to know what a file is: any first line that is worth guessing by. */
const beginningBytes = 1 << 20;

export interface Source {
  file: string;
  /** The first bytes, at most a mebibyte: UTF-8 where the file is text. */
  beginning: Buffer;
  /** The file's size in bytes, as it lies there. */
  size: number;
  isParquet: boolean;
  /** All of the file from its beginning. */
  chunks: () => AsyncGenerator<Buffer>;
}

/**
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE; DATA_EMPTY for a file of no bytes; DATA_FORM for a file that is neither text nor parquet;
 * DATA_SYNTAX for a damaged gzip file
 */
export async function openSource(file: string): Promise<Source> {
  const { head, size } = readHead(file);
  if (size === 0) {
    throw new LecternError("DATA_EMPTY", {
      message: `${file} is empty.`,
      expected: "questions as JSON, JSON lines, CSV or parquet",
      received: "a file of 0 bytes",
      next: "Name another file, or write this one again.",
    });
  }
  const isParquet = head.subarray(0, 4).toString("latin1") === "PAR1" || path.extname(file).toLowerCase() === ".parquet";
  if (isParquet) return { file, beginning: head, size, isParquet, chunks: () => plainBytes(file) };
  refuseBinary(file, head);
  const chunks = (): AsyncGenerator<Buffer> => utf8(isGzip(head) ? unzipped(file) : plainBytes(file));
  const beginning: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks()) {
    beginning.push(chunk);
    length += chunk.length;
    if (length >= beginningBytes) break;
  }
  const bytes = Buffer.concat(beginning).subarray(0, beginningBytes);
  if (isGzip(head)) refuseBinary(file, bytes);
  return { file, beginning: bytes, size, isParquet, chunks };
}

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

function readHead(file: string): { head: Buffer; size: number } {
  const { descriptor, size } = openPlainFile(file, what);
  try {
    const head = Buffer.alloc(Math.min(size, 4096));
    return { head: head.subarray(0, readSync(descriptor, head)), size };
  } catch (error) {
    throw readingError(error, file, what);
  } finally {
    closeSync(descriptor);
  }
}

async function* plainBytes(file: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw readingError(error, file, what);
  }
}

async function* unzipped(file: string): AsyncGenerator<Buffer> {
  const bytes = createReadStream(file);
  const gunzip = createGunzip({ chunkSize: 1 << 18 });
  bytes.on("error", (error) => gunzip.destroy(error));
  try {
    yield* bytes.pipe(gunzip) as AsyncIterable<Buffer>;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && String(error.code).startsWith("Z_"))) throw readingError(error, file, what);
    throw new LecternError(
      "DATA_SYNTAX",
      {
        message: `${file} cannot be unpacked.`,
        expected: "a whole gzip file",
        received: error.message,
        next: "Download or write the file again.",
      },
      { cause: error },
    );
  } finally {
    bytes.destroy();
  }
}

/** The same with UTF-16, known by its byte order mark or by the zeros beside its first characters, as UTF-8. Other bytes stay as they are. */
async function* utf8(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  let isFirst = true;
  for await (const chunk of bytes) {
    if (isFirst) decoder = utf16Decoder(chunk);
    isFirst = false;
    yield decoder === undefined ? chunk : Buffer.from(decoder.decode(chunk, { stream: true }));
  }
  if (decoder !== undefined) yield Buffer.from(decoder.decode());
}

function utf16Decoder(bytes: Buffer): InstanceType<typeof TextDecoder> | undefined {
  const zeros = [...bytes.subarray(0, 4)].map((byte) => (byte === 0 ? "0" : "x")).join("");
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || zeros === "x0x0") return new TextDecoder("utf-16le");
  if ((bytes[0] === 0xfe && bytes[1] === 0xff) || zeros === "0x0x") return new TextDecoder("utf-16be");
  return undefined;
}

/** Files that are known by their first bytes and are not text: their names, and what to make of them. */
const binaryForms: readonly { bytes: string; name: string; next: string }[] = [
  {
    bytes: "ARROW1",
    name: "an Arrow file",
    next: 'Write parquet: pyarrow.parquet.write_table(pyarrow.feather.read_table(file), "data.parquet").',
  },
  {
    bytes: "\xff\xff\xff\xff",
    name: "an Arrow stream",
    next: 'Write parquet: datasets.load_from_disk(folder).to_parquet("data.parquet").',
  },
  { bytes: "\xd0\xcf\x11\xe0", name: "an Excel workbook (.xls)", next: 'Save the sheet as "CSV UTF-8" in the spreadsheet program.' },
  {
    bytes: "SQLite format 3",
    name: "an SQLite database",
    next: "Export the table as CSV: sqlite3 -header -csv FILE 'select * from TABLE'.",
  },
  {
    bytes: "%PDF",
    name: "a PDF document",
    next: "Write its text and your questions as CSV with the columns question, context and answer.",
  },
  { bytes: "BZh", name: "a bzip2 archive", next: "Unpack it (bunzip2); gzip files are read as they are." },
  { bytes: "\xfd7zXZ", name: "an xz archive", next: "Unpack it (unxz); gzip files are read as they are." },
  { bytes: "\x28\xb5\x2f\xfd", name: "a zstd archive", next: "Unpack it (unzstd); gzip files are read as they are." },
  { bytes: "7z\xbc\xaf", name: "a 7z archive", next: "Unpack it, and name the file inside." },
  {
    bytes: "\x80\x04\x95",
    name: "a Python pickle",
    next: 'Write parquet or JSON lines in Python: pandas.read_pickle(file).to_parquet("data.parquet").',
  },
];

function refuseBinary(file: string, bytes: Buffer): void {
  const head = bytes.toString("latin1");
  const form = head.startsWith("PK\x03\x04") ? zipForm(head) : binaryForms.find((known) => head.startsWith(known.bytes));
  const isTar = head.slice(257, 262) === "ustar";
  if (form === undefined && !isTar) return;
  throw new LecternError("DATA_FORM", {
    message: `${file} is ${form?.name ?? "a tar archive"}, which is not read.`,
    expected: "JSON, JSON lines, CSV, TSV or parquet, each also as gzip but parquet",
    received: form?.name ?? "a tar archive",
    next: form?.next ?? "Unpack it (tar -xf), and name the file inside.",
  });
}

function zipForm(head: string): { name: string; next: string } {
  if (head.includes("[Content_Types].xml") || head.includes("_rels/") || head.includes("xl/")) {
    return { name: "an Excel workbook (.xlsx)", next: 'Save the sheet as "CSV UTF-8" in the spreadsheet program.' };
  }
  if (head.includes("opendocument.spreadsheet")) {
    return { name: "an OpenDocument spreadsheet (.ods)", next: "Save the sheet as CSV in UTF-8 in the spreadsheet program." };
  }
  return { name: "a zip archive", next: "Unpack it, and name the file inside; gzip files are read as they are." };
}
