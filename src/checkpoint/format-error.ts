/** What is wrong with the bytes of a file, found by code that does not know the file's name: whoever opened it tells both. */
export class FormatError extends Error {}

/** Bytes as text in UTF-8. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormatError("a name is not UTF-8 text");
  }
}
