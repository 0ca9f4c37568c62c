/** Zip archives of stored entries, as PyTorch writes them, with faults where a test wants them. */

export interface ZipEntryOptions {
  readonly name: string;
  readonly content: Uint8Array;
  /** The name in the entry's own header, where it is another than the directory's. */
  readonly headerName?: string;
  readonly method?: number;
  readonly flags?: number;
  /** The size that the directory gives. */
  readonly size?: number;
}

/** @param options wide: with 64-bit numbers wherever there can be some */
export function zipArchive(entries: readonly ZipEntryOptions[], { wide = false } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const add = (part: Uint8Array): void => {
    parts.push(Buffer.from(part));
    at += part.length;
  };
  for (const { name, content, headerName = name, method = 0, flags = 0, size = content.length } of entries) {
    const header = at;
    add(fields([4, 0x04034b50], [2, 0], [2, flags], [2, method], [8, 0], [4, size], [4, size], [2, headerName.length], [2, 0]));
    add(Buffer.from(headerName));
    add(content);
    const extra = wide ? fields([2, 1], [2, 24], [8, size], [8, size], [8, header]) : Buffer.alloc(0);
    const [shownSize, shownHeader] = wide ? [0xffffffff, 0xffffffff] : [size, header];
    const numbers = fields(
      [4, 0x02014b50],
      [4, 0],
      [2, flags],
      [2, method],
      [8, 0],
      [4, shownSize],
      [4, shownSize],
      [2, name.length],
      [2, extra.length],
    );
    directory.push(numbers, fields([2, 0], [2, 0], [2, 0], [4, 0], [4, shownHeader]), Buffer.from(name), extra);
  }
  const [offset, listing] = [at, Buffer.concat(directory)];
  add(listing);
  const count = entries.length;
  if (wide) {
    const record = at;
    add(fields([4, 0x06064b50], [8, 44], [4, 0], [4, 0], [4, 0], [8, count], [8, count], [8, listing.length], [8, offset]));
    add(fields([4, 0x07064b50], [4, 0], [8, record], [4, 1]));
    add(fields([4, 0x06054b50], [4, 0], [2, 0xffff], [2, 0xffff], [4, 0xffffffff], [4, 0xffffffff], [2, 0]));
  } else add(fields([4, 0x06054b50], [4, 0], [2, count], [2, count], [4, listing.length], [4, offset], [2, 0]));
  return Buffer.concat(parts);
}

/** Little-endian numbers of so many bytes. */
function fields(...list: [width: 2 | 4 | 8, value: number][]): Buffer {
  return Buffer.concat(
    list.map(([width, value]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt(value));
      return bytes.subarray(0, width);
    }),
  );
}
