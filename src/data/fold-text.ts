/**
 * Texts compared without what differs between two copies of one text: white space (runs, no-break spaces, line ends), case, the Unicode form
 * (composed or decomposed), and characters that word processors and PDF readers exchange (curly quotes, dashes, ligatures, full-width letters,
 * invisible ones). A folded text knows for each of its code units where it stood, so that what is found in it is found in the original.
 */

/** What folding evens out. */
export const foldedAspects = ["white space", "case", "Unicode form", "characters"] as const;
export type FoldedAspect = (typeof foldedAspects)[number];

export interface FoldedText {
  readonly text: string;
  /** [text.length]: where what became this code unit begins in the original, in UTF-16 code units. */
  readonly starts: Int32Array;
  /** [text.length]: where it ends there. */
  readonly ends: Int32Array;
}

/** A character with its combining marks: what folding must not cut. */
const characters = /\P{M}\p{M}*|\p{M}+/gu;
const whiteSpace = /^[\s\u0085]/;
/** Zero-width spaces and joiners, the byte order mark, soft hyphens. */
const invisible = /[\u00ad\u200b-\u200f\u2060\ufeff]/g;

/**
 * @example
 * foldText("Zoë\u00a0 B.").text; // "zoe\u0308 b."
 */
export function foldText(original: string, aspects: readonly FoldedAspect[] = foldedAspects): FoldedText {
  const pieces: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  let isSpace = false;
  for (const { 0: character, index } of original.matchAll(characters)) {
    const end = index + character.length;
    const wasSpace: boolean = isSpace;
    isSpace = whiteSpace.test(character) && character !== "\ufeff";
    const folded = isSpace ? foldSpace(character, aspects) : foldCharacter(character, aspects);
    if (isSpace && wasSpace && aspects.includes("white space")) {
      ends[ends.length - 1] = end;
      continue;
    }
    pieces.push(folded);
    for (let unit = 0; unit < folded.length; unit++) {
      starts.push(index);
      ends.push(end);
    }
    if (folded === "") isSpace = wasSpace; // a space on either side of an invisible character is one run
  }
  return { text: pieces.join(""), starts: Int32Array.from(starts), ends: Int32Array.from(ends) };
}

function foldSpace(character: string, aspects: readonly FoldedAspect[]): string {
  return aspects.includes("white space") ? " " : character;
}

function foldCharacter(character: string, aspects: readonly FoldedAspect[]): string {
  const code = character.charCodeAt(0);
  const isPlain = character.length === 1 && code < 0x80;
  let folded = character;
  if (!isPlain) {
    if (aspects.includes("characters")) folded = foldTypography(folded);
    if (aspects.includes("Unicode form")) folded = folded.normalize("NFD");
  }
  // upper before lower case: ß and SS, σ and ς are the same
  return aspects.includes("case") ? folded.toUpperCase().toLowerCase() : folded;
}

/** Compatibility forms (ligatures, full-width letters, …) as what they stand for, quotes and dashes as ASCII's; the Unicode form stays. */
function foldTypography(character: string): string {
  const isCompatibility = character.normalize("NFKD") !== character.normalize("NFD");
  return (isCompatibility ? character.normalize("NFKD") : character)
    .replaceAll(invisible, "")
    .replaceAll(/[\u2010-\u2015\u2212]/g, "-")
    .replaceAll(/[\u2018-\u201b\u2032]/g, "'")
    .replaceAll(/[\u201c-\u201f\u2033\u00ab\u00bb]/g, '"');
}

/** Where a folded text holds another, as [start, end) of the original; only whole characters of it are taken. */
export function findFolded(folded: FoldedText, wanted: string): { start: number; end: number }[] {
  const { text, starts, ends } = folded;
  const found: { start: number; end: number }[] = [];
  if (wanted === "") return found;
  for (let first = text.indexOf(wanted); first >= 0; first = text.indexOf(wanted, first + 1)) {
    const last = first + wanted.length - 1;
    const isWhole = (first === 0 || starts[first] !== starts[first - 1]) && (last + 1 === text.length || starts[last] !== starts[last + 1]);
    if (isWhole) found.push({ start: starts[first], end: ends[last] });
  }
  return found;
}

/**
 * In which aspects two texts differ that are equal when folded.
 * @example
 * differingAspects("zoë", "Zoë"); // ["case"]
 */
export function differingAspects(one: string, other: string): FoldedAspect[] {
  const differing = foldedAspects.filter((aspect) => {
    const others = foldedAspects.filter((each) => each !== aspect);
    return foldEnds(one, others) !== foldEnds(other, others);
  });
  return differing.length > 0 ? differing : ["characters"];
}

/** A text folded, without white space at its ends where white space is folded. */
export function foldEnds(text: string, aspects: readonly FoldedAspect[] = foldedAspects): string {
  const folded = foldText(text, aspects).text;
  return aspects.includes("white space") ? folded.replace(/^ /, "").replace(/ $/, "") : folded;
}
