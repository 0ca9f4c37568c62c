/**
 * The tokenizers library counts positions in Unicode code points; JavaScript's strings count UTF-16 code units, of which a character outside
 * the basic plane (an emoji, a rare Han character) takes two. This converts the one to the other. A lone surrogate, which Rust receives as
 * the replacement character, is one of each.
 */

/**
 * For each code point of the text, and its end, where it stands in code units: `codeUnits[codePoint]`.
 * Undefined when every code point is one code unit, so that positions need no conversion.
 */
export function codeUnitPositions(text: string): Int32Array | undefined {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return undefined;
  const positions = new Int32Array(text.length + 1);
  let codePoints = 0;
  let codeUnits = 0;
  for (const character of text) {
    positions[codePoints++] = codeUnits;
    codeUnits += character.length;
  }
  positions[codePoints] = codeUnits;
  return positions.subarray(0, codePoints + 1);
}
