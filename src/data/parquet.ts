/**
 * Rows of a parquet file, as the Hugging Face Hub stores data sets. Only the columns that questions need are decoded, a row group at a time.
 * Reading is hyparquet's; hyparquet-compressors adds the codecs beside snappy (zstd is what Polars writes).
 */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { LecternError } from "../errors.js";
import { type Columns, emptyRow, nameColumns } from "./columns.js";
import { checkChunks, checkPages } from "./parquet-pages.js";

/**
 * The rows of a file in their order.
 * @param columns names that the person gives the columns
 * @throws LecternError DATA_SYNTAX when the file is damaged or uses what cannot be read
 */
export async function* readParquet(file: string, columns: Columns): AsyncGenerator<unknown> {
  const { buffer, metadata, present } = await open(file, columns);
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

async function open(file: string, columns: Columns) {
  try {
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    return { buffer, metadata, present: neededColumns(parquetColumns(metadata), columns) };
  } catch (error) {
    throw damaged(file, error);
  }
}

/** Of a table with the columns of questions those and what else may hold answers; of any other all, for its form to be found. */
function neededColumns(all: readonly string[], columns: Columns): string[] {
  const { names } = nameColumns(emptyRow(all), columns);
  if (names.question === undefined || names.context === undefined) return [...all];
  const own = Object.values(names).map((name) => (all.includes(name) ? name : name.split(".")[0]));
  return all.filter((name) => own.includes(name) || /answer/i.test(name));
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
