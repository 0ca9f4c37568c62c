/**
 * What the place of an answer may count, besides the Unicode code points that `answer_start` should: another unit, or a copy of the context
 * that was changed before its places were counted (line ends, white space, the Unicode form).
 */

interface Counting {
  readonly name: string;
  /** Whether it counts other than code points do in this context. */
  applies(context: string): boolean;
  /** How many places a character takes; `before` is what stands in front of it ("" at the beginning). */
  count(character: string, before: string): number;
}

const codePoints = (text: string): number => [...text].length;
const isSpace = (text: string): boolean => /^\s/.test(text);

const countings: readonly Counting[] = [
  { name: "UTF-16 code units", applies: (context) => /[\ud800-\udfff]/.test(context), count: (character) => character.length },
  {
    name: "a line end as one character",
    applies: (context) => context.includes("\r\n"),
    count: (character) => (character === "\r\n" ? 1 : codePoints(character)),
  },
  {
    name: "a line end as two characters",
    applies: (context) => /(^|[^\r])\n/.test(context),
    count: (character) => (character === "\n" ? 2 : codePoints(character)),
  },
  {
    name: "white space as one character",
    applies: (context) => /\s\s/.test(context),
    count: (character, before) => (isSpace(character) ? Number(!isSpace(before)) : codePoints(character)),
  },
  {
    name: "no white space at the beginning",
    applies: isSpace,
    count: (character, before) => (isSpace(character) && before === "" ? 0 : codePoints(character)),
  },
  {
    name: "composed characters (NFC)",
    applies: (context) => context.normalize("NFC") !== context,
    count: (character) => codePoints(character.normalize("NFC")),
  },
  {
    name: "decomposed characters (NFD)",
    applies: (context) => context.normalize("NFD") !== context,
    count: (character) => codePoints(character.normalize("NFD")),
  },
  {
    name: "UTF-8 bytes",
    applies: (context) => /[^\0-\x7f]/.test(context),
    count: (character) => Buffer.byteLength(character),
  },
];

/** Places counted otherwise: `positions[place]` in UTF-16 code units. */
export interface CountedPlaces {
  readonly name: string;
  readonly positions: Int32Array;
}

/** Every other way of counting the places of a context, the likeliest first. */
export function otherCountings(context: string): CountedPlaces[] {
  return countings
    .filter((counting) => counting.applies(context))
    .map(({ name, count }) => ({ name, positions: positionsBy(count, context) }));
}

function positionsBy(count: Counting["count"], context: string): Int32Array {
  const positions: number[] = [];
  let before = "";
  for (const { 0: character, index } of context.matchAll(/\r\n|\P{M}\p{M}*|\p{M}+/gu)) {
    const places = count(character, before);
    const within = codePoints(character) === places ? codeUnitsOf(character) : [];
    for (let place = 0; place < places; place++) positions.push(index + (within[place] ?? 0));
    if (places > 0 || before !== "") before = character;
  }
  positions.push(context.length);
  return Int32Array.from(positions);
}

/** Where each code point of a character with its marks begins in it. */
function codeUnitsOf(character: string): number[] {
  const units: number[] = [];
  let unit = 0;
  for (const point of character) {
    units.push(unit);
    unit += point.length;
  }
  return units;
}
