/**
 * A look at the page headers of a parquet file before its pages are decoded. hyparquet trusts them: a size that is missing makes it read one
 * byte for ever, and a size that is far too large makes it ask for gigabytes. Files in which the headers fit the column's own totals are
 * decoded safely. Header fields: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
 */
import type { AsyncBuffer, ColumnMetaData, PageHeader, RowGroup, SchemaTree } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";

/**
 * Checks that a row group has each column of the schema once: hyparquet decodes all chunks of a group at once, and what fails in one that the
 * schema does not lead to is waited for by nobody, which ends the process.
 * @throws Error with what does not fit
 */
export function checkChunks({ columns: chunks }: RowGroup, schema: SchemaTree): void {
  const paths = chunks.map(({ meta_data: column }) => column?.path_in_schema.join("."));
  const leaves = leafPaths(schema);
  if (new Set(paths).size < paths.length || !paths.every((path) => path !== undefined && leaves.includes(path))) {
    throw new Error(`the columns ${paths.join(", ").slice(0, 80)} in a row group, where the schema has ${leaves.join(", ").slice(0, 80)}`);
  }
}

function leafPaths({ path, children }: SchemaTree): string[] {
  return children.length === 0 ? [path.join(".")] : children.flatMap(leafPaths);
}

/**
 * Checks the pages of a row group.
 * @param columns names of the top-level columns that will be decoded
 * @throws Error with what does not fit
 */
export async function checkPages(file: AsyncBuffer, { columns: chunks }: RowGroup, columns: readonly string[]): Promise<void> {
  for (const { meta_data: column } of chunks) {
    if (column === undefined) throw new Error("a column without metadata");
    if (columns.includes(column.path_in_schema[0])) await checkColumn(file, column);
  }
}

async function checkColumn(file: AsyncBuffer, column: ColumnMetaData): Promise<void> {
  const start = Number(column.dictionary_page_offset || column.data_page_offset);
  const size = Number(column.total_compressed_size);
  if (!(start >= 0 && size >= 0 && start + size <= file.byteLength)) throw new Error("a column that lies outside the file");
  const reader = { view: new DataView(await file.slice(start, start + size)), offset: 0 };
  let values = 0;
  while (values < Number(column.num_values) && reader.offset < size - 1) {
    const header = parquetHeader(reader);
    checkHeader(header, column, size - reader.offset);
    reader.offset += header.compressed_page_size;
    values += (header.data_page_header ?? header.data_page_header_v2)?.num_values ?? 0;
  }
}

function checkHeader(header: PageHeader, column: ColumnMetaData, bytesLeft: number): void {
  const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
  within("compressed size", header.compressed_page_size, bytesLeft);
  within("size", header.uncompressed_page_size, Number(column.total_uncompressed_size));
  if (v1 !== undefined) within("number of values", v1.num_values, Number(column.num_values));
  if (dictionary !== undefined) within("number of values", dictionary.num_values, header.uncompressed_page_size);
  if (v2 === undefined) return;
  within("number of values", v2.num_values, Number(column.num_values));
  within("number of rows", v2.num_rows, v2.num_values);
  within("number of nulls", v2.num_nulls, v2.num_values);
  within("length of levels", v2.definition_levels_byte_length, header.compressed_page_size);
  within("length of levels", v2.repetition_levels_byte_length, header.compressed_page_size - v2.definition_levels_byte_length);
}

function within(what: string, value: unknown, most: number): void {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) {
    throw new Error(`a page whose ${what} is ${String(value)}, where ${most} is the most`);
  }
}
