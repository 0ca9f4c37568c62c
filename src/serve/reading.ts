/**
 * The two ends of answering as the server uses them, with the running of windows left out: from questions to windows, and from the windows'
 * logits to answers. Offline all windows run at once; the server runs them in batches with those of other requests.
 */
import type { AnswerOptions } from "../tasks/extractive/answer-options.js";
import type { Answer } from "../tasks/extractive/answer-spans.js";
import type { SpanLogits } from "../tasks/extractive/decode.js";
import type { Feature } from "../tasks/extractive/features.js";
import { answersFrom, prepareQuestions as prepare, type Question } from "../tasks/extractive/prepared-question.js";
import type { Reader } from "../tasks/extractive/reader.js";

export type { AnswerOptions };

/** One answer, or with top_k above 1 the best ones. */
export type Answers = Answer | Answer[];

export interface PreparedQuestions {
  readonly features: readonly Feature[];
  answers(logits: readonly SpanLogits[]): Answers[];
}

export async function prepareQuestions(
  reader: Pick<Reader, "tokenizer" | "encoder">,
  questions: readonly Question[],
  options: AnswerOptions,
  maxTokens: number,
): Promise<PreparedQuestions> {
  const prepared = await prepare(reader, questions, options, { maxTokens });
  const { top_k = 1 } = options;
  return {
    features: prepared.flatMap(({ windows }) => windows),
    answers: (logits) => answersFrom(reader, prepared, logits).map((best) => (top_k === 1 ? best[0] : best)),
  };
}
