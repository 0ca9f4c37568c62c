/**
 * Long contexts are read through windows. The question stands in each; the context is cut into pieces that overlap by `stride` tokens, as
 * Hugging Face's tokenizers do with truncation="only_second", return_overflowing_tokens and stride: pieces begin every (room − stride)
 * tokens, and the first that reaches the end of the context is the last. The library can cut a finished encoding (the tests compare the two),
 * but its truncation while encoding stops at the first words past the limit, so that the rest of a context is in no window (tokenizers 0.23.2
 * for Node), and it aborts the whole process when the stride does not fit. So the cutting is done here.
 */
import { LecternError } from "../errors.js";

/** The piece of a context that one window holds, in tokens. */
export interface Piece {
  start: number;
  end: number;
}

/**
 * The pieces of a context.
 * @param length tokens of the context
 * @param room tokens of the context that fit into a window, at least 1 when the context does not fit whole
 * @param stride tokens by which neighbours overlap; undefined: one piece, the rest of the context is dropped
 */
export function cutIntoPieces(length: number, room: number, stride: number | undefined): Piece[] {
  if (length <= room) return [{ start: 0, end: length }];
  if (stride === undefined) return [{ start: 0, end: room }];
  const step = windowStep(room, stride);
  const pieces: Piece[] = [];
  for (let start = 0; ; start += step) {
    const end = Math.min(start + room, length);
    pieces.push({ start, end });
    if (end === length) return pieces;
  }
}

/**
 * By how many context tokens a window begins after the one before it. A long question can leave so little room that the stride would lead
 * nowhere: then neighbours share half of it.
 */
export function windowStep(room: number, stride: number): number {
  return stride < room ? room - stride : Math.ceil(room / 2);
}

/**
 * Refuses a window that could hold no text whatever the question.
 * @param specialTokens how many tokens of a window are special
 * @throws LecternError TOKENIZER_WINDOW
 */
export function checkWindow(maxLength: number, stride: number | undefined, specialTokens: number): void {
  const room = maxLength - specialTokens;
  if (!Number.isInteger(maxLength) || room < 2) {
    throw new LecternError("TOKENIZER_WINDOW", {
      message: "A window is too short for a question and a context.",
      expected: `a max_length of at least ${specialTokens + 2} tokens (${specialTokens} are special)`,
      received: String(maxLength),
      next: "Raise max_length (where questions are answered: max_seq_len); 384 is usual.",
    });
  }
  if (stride !== undefined && (!Number.isInteger(stride) || stride < 0 || stride >= room)) {
    throw new LecternError("TOKENIZER_WINDOW", {
      message: "Windows that overlap by this many tokens would not move on.",
      expected: `a stride from 0 to ${room - 1} (max_length ${maxLength})`,
      received: String(stride),
      next: "Lower stride (where questions are answered: doc_stride); 128 is usual for a max_length of 384.",
    });
  }
}

/** The error for a question that leaves no room for its context. */
export function questionTooLong(question: string, tokens: number, maxLength: number, specialTokens: number): LecternError {
  const longest = maxLength - specialTokens - 1;
  return new LecternError("TOKENIZER_WINDOW", {
    message: `The question "${question.slice(0, 60)}${question.length > 60 ? "…" : ""}" leaves no room for its context.`,
    expected: `at most ${longest} tokens (max_length ${maxLength})`,
    received: `${tokens} tokens`,
    next: "Raise max_length, shorten the question, or let questions be cut (max_question_length; where questions are answered: max_question_len).",
  });
}

/**
 * Characters (UTF-16 code units) of a text that is read in one piece. A text is tokenised whole, which takes up to 200 bytes a character of English,
 * and 1,500 where each character is a token.
 */
export const longestText = 2_000_000;

/** @throws LecternError TEXT_TOO_LONG */
export function checkTextLength(text: string): void {
  if (text.length > longestText) throw textTooLong(`${text.length} characters, beginning with ${JSON.stringify(text.slice(0, 40))}`);
}

/** The error for a text that is longer than can be read in one piece. */
export function textTooLong(received: string): LecternError {
  return new LecternError("TEXT_TOO_LONG", {
    message: "A text is too long to be read in one piece.",
    expected: `at most ${longestText} characters, about 700 pages`,
    received,
    next: "Cut it into parts, such as chapters, and ask about each.",
  });
}

/** The error for texts whose windows are more than may be. */
export function tooManyTokens(tokens: number, limit: number): LecternError {
  return new LecternError("TOO_MANY_TOKENS", {
    message: "The contexts make too many windows.",
    expected: `at most ${limit} tokens in all windows together`,
    received: `${tokens} tokens`,
    next: "Shorten the context, or lower stride so that windows overlap less.",
  });
}
