/**
 * How SQuAD compares answers: lower case, no ASCII punctuation, no English articles, single spaces. The official scripts do this with Python's
 * text functions, whose notions differ from JavaScript's: a word character is a letter, a number or "_" of any script (combining marks are
 * not), and white space includes U+001C–U+001F and U+0085 but not U+FEFF.
 */

/** Python's string.punctuation. */
const punctuation = /[!-/:-@[-`{-~]/g;
/** Python's \b(a|an|the)\b. */
const article = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;
/** What Python's str.split() splits at. */
const whiteSpace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/**
 * The words that are compared, in their order.
 * @example
 * answerWords("The Eiffel-Tower!"); // ["eiffeltower"]
 */
export function answerWords(answer: string): string[] {
  return words(answer.toLowerCase().replace(punctuation, "").replace(article, " "));
}

/** A text's words as Python's `str.split()` gives them. */
export function words(text: string): string[] {
  return text.split(whiteSpace).filter((word) => word !== "");
}

/** The answer as it is compared for an exact match. */
export function normaliseAnswer(answer: string): string {
  return answerWords(answer).join(" ");
}
