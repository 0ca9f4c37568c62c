/**
 * The table by which SentencePiece rewrites characters (its normalisation, "precompiled_charsmap"): the size of a trie in bytes, the trie, and
 * the texts that stand for what it finds, each ended by a zero. The trie is a double array as darts-clone makes it (github.com/s-yata/darts-clone):
 * of a unit, bit 31 marks a value, bits 0-7 are the label, bit 8 says that a value hangs on it, the rest is the distance to its children.
 *
 * The tokenizers library follows such a table without looking where it leads, and ends the whole process where that is nowhere. So a table
 * from a foreign file is looked through here first.
 */

/**
 * Checks that no text can lead a search out of the table.
 * @throws Error where one could
 */
export function checkCharsmap(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const units = bytes.byteLength < 4 ? 0 : Math.floor(view.getUint32(0, true) / 4);
  const texts = 4 + 4 * units;
  if (units === 0 || texts > bytes.byteLength) throw new Error(`a table of ${units} units in ${bytes.byteLength} bytes`);
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(texts));
  } catch {
    throw new Error("a table whose texts are not UTF-8");
  }
  const unitAt = (place: number) => view.getUint32(4 + 4 * place, true);
  for (let place = 0; place < units; place++) {
    const unit = unitAt(place);
    if (unit >>> 31 === 1 && place > 0) continue; // a value, which no label leads to; at the root none is asked for
    const children = place ^ ((unit >>> 10) << ((unit & 0x200) >>> 6));
    // A child stands at children ^ byte: in the same 256 units.
    if (children < 0 || (children | 0xff) >= units) throw new Error(`a table whose unit ${place} leads out of it`);
    if ((unit & 0x100) === 0) continue;
    const text = texts + (unitAt(children) & 0x7fffffff);
    const isInside = text < bytes.byteLength && (bytes[text] & 0xc0) !== 0x80; // not in the middle of a character
    if (!isInside && text !== bytes.byteLength) throw new Error(`a table whose unit ${place} stands for a text outside it`);
  }
}
