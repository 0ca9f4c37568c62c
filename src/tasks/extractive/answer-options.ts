/**
 * What can be set of answering a question: names, meaning and defaults of transformers' question-answering pipeline (its last version, 4.57,
 * documents them), so that a setting known from there means the same here. Only align_to_words has another default, which gives the same answers
 * wherever words stand between spaces.
 */
import { LecternError } from "../../errors.js";
import type { AlignToWords } from "./answer-places.js";

export interface AnswerOptions {
  /** How many answers, best first; more than one come as a list. Default 1. Fewer only where the text has no more. */
  readonly top_k?: number;
  /** Tokens by which two windows of a long context overlap. Default: half of max_seq_len, at most 128. */
  readonly doc_stride?: number;
  /** The longest answer, in tokens. Default 15. */
  readonly max_answer_len?: number;
  /** Tokens of a window at most: question, context and special tokens. Default: what the model takes, at most 384. */
  readonly max_seq_len?: number;
  /** Tokens of the question that are read; the rest is cut off. Default 64, at most half of max_seq_len. */
  readonly max_question_len?: number;
  /** Having no answer counts as an answer: "" with start and end 0, where it is the likeliest. Default false. */
  readonly handle_impossible_answer?: boolean;
  /**
   * Whether answers are widened to whole words as the tokenizer cuts them. "auto", the default, widens them only as far as a script writes spaces
   * between words: a sentence of Japanese or Thai can be one such word.
   */
  readonly align_to_words?: AlignToWords;
}

export type ResolvedAnswerOptions = Required<AnswerOptions>;

const least = { top_k: 1, doc_stride: 0, max_answer_len: 1, max_seq_len: 1, max_question_len: 1 } as const;

/**
 * Options with their defaults.
 * @param longest tokens that the model takes
 * @throws LecternError ANSWER_OPTION
 */
export function resolveAnswerOptions(options: AnswerOptions, longest: number): ResolvedAnswerOptions {
  for (const [name, value] of Object.entries(options)) check(name, value);
  const { max_seq_len = Math.min(longest, 384) } = options;
  if (max_seq_len > longest) throw wrong("max_seq_len", `at most ${longest}, which is the longest input of the model`, max_seq_len);
  return {
    top_k: options.top_k ?? 1,
    doc_stride: options.doc_stride ?? Math.min(Math.floor(max_seq_len / 2), 128),
    max_answer_len: options.max_answer_len ?? 15,
    max_seq_len,
    max_question_len: options.max_question_len ?? Math.min(Math.floor(max_seq_len / 2), 64),
    handle_impossible_answer: options.handle_impossible_answer ?? false,
    align_to_words: options.align_to_words ?? "auto",
  };
}

function check(name: string, value: unknown): void {
  if (name === "handle_impossible_answer") {
    if (value !== undefined && typeof value !== "boolean") throw wrong(name, "true or false", value);
  } else if (name === "align_to_words") {
    if (value !== undefined && value !== "auto" && typeof value !== "boolean") throw wrong(name, 'true, false or "auto"', value);
  } else if (Object.hasOwn(least, name)) {
    const from = least[name as keyof typeof least];
    if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) >= from))
      throw wrong(name, `a whole number from ${from}`, value);
  } else {
    throw new LecternError("ANSWER_OPTION", {
      message: `There is no option ${JSON.stringify(name)} for answering a question.`,
      expected: `${Object.keys(least).join(", ")}, handle_impossible_answer or align_to_words`,
      received: name,
      next: "Correct its name, or leave it out.",
    });
  }
}

function wrong(name: string, expected: string, received: unknown): LecternError {
  return new LecternError("ANSWER_OPTION", {
    message: `The option ${name} has a value that cannot be used.`,
    expected,
    received: typeof received === "string" ? JSON.stringify(received) : String(received),
    next: "Correct it, or leave it out for its default.",
  });
}
