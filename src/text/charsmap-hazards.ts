/**
 * SentencePiece's table of normalizations ("precompiled_charsmap"), looked over before it is used: base64 of a 32-bit length, a trie of that
 * many bytes as a double array (Yata et al.; github.com/s-yata/darts-clone), and the texts it points to, each ended by a zero byte. The
 * library follows it without looking whether it leads out of the table.
 */

/** The longest published replacement, of U+FDFA, has 33 bytes. */
const longestReplacement = 256;

/** What is wrong with a table, in a few words, or undefined. */
export function charsmapProblem(encoded: unknown): string | undefined {
  if (typeof encoded !== "string") return "a charsmap that is not a text";
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.toString("base64") !== encoded) return "a charsmap that is not base64";
  if (bytes.length < 4) return "a charsmap that is cut short";
  const trieBytes = bytes.readUInt32LE(0);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || trieBytes > bytes.length - 4) return "a charsmap whose trie is cut short";
  const texts = bytes.subarray(4 + trieBytes);
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(texts);
  } catch {
    return "a charsmap whose texts are not UTF-8";
  }
  return trieProblem(new DataView(bytes.buffer, bytes.byteOffset + 4, trieBytes), texts);
}

/** Every unit that a byte can lead to (bit 31 clear) must lead on to units, and its leaf to the beginning of a text. */
function trieProblem(trie: DataView, texts: Uint8Array): string | undefined {
  const count = trie.byteLength / 4;
  for (let at = 0; at < count; at++) {
    const unit = trie.getUint32(4 * at, true);
    if (at > 0 && unit >= 2 ** 31) continue;
    const base = xor(at, (unit >>> 10) * (unit & 0x200 ? 256 : 1)); // the offset, of 21 bits, or of 29 where bit 9 is set
    if (base - (base % 256) + 256 > count) return "a charsmap whose trie leads out of it";
    const hasLeaf = (unit & 0x100) !== 0;
    if (hasLeaf && !isTextAt(texts, trie.getUint32(4 * base, true) % 2 ** 31)) return "a charsmap that points out of its texts";
  }
  return undefined;
}

/** Exclusive or of whole numbers below 2^31. */
function xor(a: number, b: number): number {
  return (a ^ b) >>> 0;
}

function isTextAt(texts: Uint8Array, start: number): boolean {
  if (start > texts.length || (texts[start] & 0xc0) === 0x80) return false;
  const end = texts.indexOf(0, start);
  return (end < 0 ? texts.length : end) - start <= longestReplacement;
}
