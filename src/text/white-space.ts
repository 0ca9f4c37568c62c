/** Places in a text without the white space at their ends: what JavaScript's trim() and Python's strip() take off. */

/**
 * A token's or an answer's place without white space at its ends: SentencePiece's tokens begin with the space before a word, which is no part
 * of an answer. A place of nothing but space becomes an empty one behind it, where what follows begins.
 */
export function withoutSpace(text: string, start: number, end: number): [number, number] {
  while (start < end && isSpace(text, start)) start++;
  while (start < end && isSpace(text, end - 1)) end--;
  return [start, end];
}

/** Whether the code unit at a place is white space; the separators of files, groups, records and units (28 to 31) and NEL are to Python alone. */
export function isSpace(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (code <= 32) return code === 32 || (code >= 9 && code <= 13) || (code >= 28 && code <= 31);
  return code >= 133 && (code === 133 || (code >= 160 && /\s/.test(text[at])));
}
