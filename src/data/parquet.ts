/**
 * Rows of a parquet file, as the Hugging Face Hub stores data sets. Only the columns that questions have are decoded, a row group at a time.
 * Reading is hyparquet's; hyparquet-compressors adds the codecs beside snappy (zstd is what Polars writes).
 */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { LecternError } from "../errors.js";
import { checkChunks, checkPages } from "./parquet-pages.js";
import { columns } from "./rows.js";

/**
 * The rows of a file in their order.
 * @throws LecternError DATA_SYNTAX when the file is damaged or uses what cannot be read, DATA_FIELD when it has no column of a question
 */
export async function* readParquet(file: string): AsyncGenerator<unknown> {
  const { buffer, metadata, present } = await open(file);
  if (!present.includes("question") || !present.includes("context")) {
    throw new LecternError("DATA_FIELD", {
      message: `${file} lacks the columns of questions.`,
      expected: "the columns question and context, and answers {text, answer_start}",
      received: `the columns ${parquetColumns(metadata).slice(0, 20).join(", ")}`,
      next: "Rename the columns; docs/data.md shows the forms that are read.",
    });
  }
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    let rows: unknown[];
    try {
      checkChunks(group, parquetSchema(metadata));
      await checkPages(buffer, group, present);
      rows = await parquetReadObjects({ file: buffer, metadata, compressors, columns: present, rowStart, rowEnd });
    } catch (error) {
      throw damaged(file, error);
    }
    if (rows.length !== rowEnd - rowStart) throw damaged(file, new Error(`${rows.length} rows where ${rowEnd - rowStart} are announced`));
    yield* rows;
    rowStart = rowEnd;
  }
}

async function open(file: string) {
  try {
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    return { buffer, metadata, present: parquetColumns(metadata).filter((name) => columns.includes(name)) };
  } catch (error) {
    throw damaged(file, error);
  }
}

const parquetColumns = (metadata: Awaited<ReturnType<typeof parquetMetadataAsync>>): string[] =>
  parquetSchema(metadata).children.map((child) => child.element.name);

function damaged(file: string, error: unknown): LecternError {
  return new LecternError(
    "DATA_SYNTAX",
    {
      message: `${file} cannot be read as parquet.`,
      expected: "a whole, unencrypted parquet file",
      received: (error instanceof Error ? error.message : String(error)).slice(0, 160),
      next: "Download or write the file again.",
    },
    { cause: error },
  );
}
