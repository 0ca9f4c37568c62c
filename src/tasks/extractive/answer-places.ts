/**
 * How far an answer is widened from the tokens that it was read off: `align_to_words` of transformers' pipeline. There an answer reaches over whole
 * words as the tokenizer cuts them, between spaces or from sign to sign; of a text without spaces such a word is a whole sentence. So by default
 * an answer reaches over its words only as far as scripts that write spaces do, and never parts a letter from its accents.
 */
import { isSpace } from "../../text/white-space.js";
import type { Feature } from "./features.js";

/** To the tokenizer's words (true), not at all (false), or to words where the script has them (auto). */
export type AlignToWords = boolean | "auto";

/**
 * [length, 2]: where an answer begins whose first token it is, and where one ends whose last it is; −1 for tokens that are not of the context.
 * @param window with `wordOffsets`
 */
export function answerPlaces(context: string, { offsets, wordOffsets = offsets, length }: Feature, align: AlignToWords): Int32Array {
  if (align !== "auto") return align ? wordOffsets : offsets;
  const places = offsets.slice();
  // Of two tokens of one word, with nothing between that parts them, the second begins where the first does; likewise for the ends.
  for (let token = 1; token < length; token++) {
    if (!isSameWord(wordOffsets, token - 1, token)) continue;
    const begins = reachLeft(context, offsets[2 * (token - 1)], offsets[2 * token]);
    places[2 * token] = begins === offsets[2 * (token - 1)] ? places[2 * (token - 1)] : begins;
  }
  for (let token = length - 1; token > 0; token--) {
    if (!isSameWord(wordOffsets, token - 1, token)) continue;
    const ends = reachRight(context, offsets[2 * token - 1], offsets[2 * token + 1]);
    places[2 * token - 1] = ends === offsets[2 * token + 1] ? places[2 * token + 1] : ends;
  }
  for (let token = 0; token < length; token++) {
    if (places[2 * token] < 0 || places[2 * token] === places[2 * token + 1]) continue;
    while (isWithinLetter(context, places[2 * token])) places[2 * token]--;
    while (isWithinLetter(context, places[2 * token + 1])) places[2 * token + 1]++;
  }
  return places;
}

function isSameWord(wordOffsets: Int32Array, token: number, next: number): boolean {
  return wordOffsets[2 * token] >= 0 && wordOffsets[2 * token] === wordOffsets[2 * next] && wordOffsets[2 * token + 1] === wordOffsets[2 * next + 1];
}

/** The place farthest to the left of `from`, but not beyond `limit`, to which a word goes. */
function reachLeft(text: string, limit: number, from: number): number {
  let at = from;
  while (at > limit && isWithinWord(text, at)) at--;
  return at;
}

function reachRight(text: string, from: number, limit: number): number {
  let at = from;
  while (at < limit && isWithinWord(text, at)) at++;
  return at;
}

/**
 * Scripts without spaces between words, their signs and punctuation included: there what is a word is not written. Korean and Vietnamese have
 * spaces; numbers and Latin letters among such signs are words of their own.
 */
const unspaced =
  /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Bopo}\p{sc=Yiii}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Tibt}\p{sc=Tale}\p{sc=Talu}\p{sc=Lana}\p{sc=Tavt}\p{sc=Java}\p{sc=Bali}\u3000-\u303f\u30fb\u30fc\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uff70]/u;
/** Signs that belong to the letter before them: accents and tones, vowels of Thai and Lao (the letters AM), the second half of a code unit pair. */
const bound = /[\p{M}\u0e33\u0eb3\u200d\udc00-\udfff]/u;

function isWithinLetter(text: string, at: number): boolean {
  if (at === 0 || at >= text.length || text.charCodeAt(at) < 0x300 || isSpace(text, at - 1)) return false;
  return bound.test(String.fromCodePoint(text.codePointAt(at)!));
}

/** Whether the place between two code units is inside a word of a script that has spaces. */
function isWithinWord(text: string, at: number): boolean {
  const [before, after] = [text.charCodeAt(at - 1), text.charCodeAt(at)];
  if (before < 0x300 && after < 0x300) return !isSpace(text, at - 1) && !isSpace(text, at);
  if (isSpace(text, at - 1) || isSpace(text, at)) return false;
  const isLow = before >= 0xdc00 && before <= 0xdfff;
  const previous = String.fromCodePoint(text.codePointAt(isLow && at > 1 ? at - 2 : at - 1)!);
  return !unspaced.test(previous) && !unspaced.test(String.fromCodePoint(text.codePointAt(at)!));
}
