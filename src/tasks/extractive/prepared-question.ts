/**
 * The two ends of answering, with the running of windows left out: from questions to windows, and from the windows' logits to answers. Offline
 * all windows run at once; a server runs them in batches with those of other callers.
 */
import type { QaExample } from "../../data/examples.js";
import { LecternError } from "../../errors.js";
import { type AnswerOptions, resolveAnswerOptions, type ResolvedAnswerOptions } from "./answer-options.js";
import { type Answer, answerSpans } from "./answer-spans.js";
import type { SpanLogits } from "./decode.js";
import { type Feature, makeFeatures } from "./features.js";
import type { Reader } from "./reader.js";

export interface Question {
  readonly question: string;
  readonly context: string;
}

/** A question cut into the windows that a reader is fed. */
export interface PreparedQuestion extends Question {
  readonly options: ResolvedAnswerOptions;
  readonly windows: readonly Feature[];
  /** Of all windows: what answering it costs. */
  readonly tokens: number;
}

/** The longest window that a reader takes, in tokens. */
export function longestWindow({ tokenizer, encoder }: Pick<Reader, "tokenizer" | "encoder">): number {
  return Math.min(encoder.maxLength, tokenizer.maxLength ?? Infinity);
}

/**
 * Checks questions and options and cuts the questions into windows.
 * @param limits maxTokens: of all windows together
 * @throws LecternError QUESTION_EMPTY, ANSWER_OPTION, TOKENIZER_WINDOW, TEXT_TOO_LONG, TOO_MANY_TOKENS
 */
export async function prepareQuestions(
  reader: Pick<Reader, "tokenizer" | "encoder">,
  questions: readonly Question[],
  options: AnswerOptions = {},
  limits: { maxTokens?: number } = {},
): Promise<PreparedQuestion[]> {
  const resolved = resolveAnswerOptions(options, longestWindow(reader));
  questions.forEach(checkQuestion);
  const examples = questions.map(({ question, context }, index): QaExample => {
    return { id: String(index), question, context, answers: [], impossible: true };
  });
  const { features } = await makeFeatures(examples, reader.tokenizer, {
    maxLength: resolved.max_seq_len,
    stride: resolved.doc_stride,
    maxQuestionLength: resolved.max_question_len,
    maxTokens: limits.maxTokens,
    forTraining: false,
    words: true,
  });
  const windows = questions.map((): Feature[] => []);
  for (const feature of features) windows[feature.exampleIndex].push(feature);
  return questions.map(({ question, context }, index) => ({
    question,
    context,
    options: resolved,
    windows: windows[index],
    tokens: windows[index].reduce((sum, { length }) => sum + length, 0),
  }));
}

/**
 * The answers to prepared questions, each a list, best first: `top_k` of them at most, and one at least.
 * @param logits of the windows of all questions, in their order
 */
export function answersFrom(
  { tokenizer }: Pick<Reader, "tokenizer">,
  prepared: readonly PreparedQuestion[],
  logits: readonly SpanLogits[],
): Answer[][] {
  let from = 0;
  return prepared.map(({ context, windows, options }) => {
    const own = logits.slice(from, (from += windows.length));
    const answers = answerSpans(context, windows, own, tokenizer.clsId, options);
    return windows[0]?.questionCut ? answers.map((answer) => ({ ...answer, question_cut: true })) : answers;
  });
}

function checkQuestion({ question, context }: Question, index: number, all: readonly Question[]): void {
  const which = all.length > 1 ? `question ${index + 1} of ${all.length}` : "the question";
  for (const [name, value] of Object.entries({ text: question, context })) {
    if (typeof value === "string" && (name === "text" ? value.trim() : value) !== "") continue;
    throw new LecternError("QUESTION_EMPTY", {
      message: `The ${name} of ${which} is ${typeof value === "string" ? "empty" : "not a text"}.`,
      expected: "{ question, context }, both of them text",
      received: typeof value === "string" ? JSON.stringify(value.slice(0, 20)) : value === null ? "null" : typeof value,
      next: name === "text" ? "Ask something." : "Give the text that the answer is to be found in.",
    });
  }
}
