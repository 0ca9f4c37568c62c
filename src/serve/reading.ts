/**
 * The two ends of answering, with the running of windows left out: from questions to windows, and from the windows' logits to answers.
 * Offline all windows run at once; the server runs them in batches with those of other requests.
 */
import type { QaExample } from "../data/examples.js";
import { decodeAnswers, type SpanLogits } from "../tasks/extractive/decode.js";
import { type Feature, makeFeatures } from "../tasks/extractive/features.js";
import type { Answer, Question } from "../tasks/extractive/question-answerer.js";
import type { Reader } from "../tasks/extractive/reader.js";

export interface AnswerOptions {
  readonly top_k?: number;
  readonly doc_stride?: number;
  readonly max_answer_len?: number;
  readonly max_seq_len?: number;
  readonly max_question_len?: number;
  readonly handle_impossible_answer?: boolean;
}

/** One answer, or with top_k above 1 the best ones. */
export type Answers = Answer | Answer[];

export interface PreparedQuestions {
  readonly features: readonly Feature[];
  answers(logits: readonly SpanLogits[]): Answers[];
}

export async function prepareQuestions(
  { tokenizer, encoder }: Pick<Reader, "tokenizer" | "encoder">,
  questions: readonly Question[],
  options: AnswerOptions,
  maxTokens: number,
): Promise<PreparedQuestions> {
  const { top_k = 1, max_answer_len = 15, handle_impossible_answer = false } = options;
  const examples = questions.map(({ question, context }, index): QaExample => ({ id: String(index), question, context, answers: [], impossible: true }));
  const maxLength = options.max_seq_len ?? Math.min(384, encoder.maxLength);
  const { features } = await makeFeatures(examples, tokenizer, {
    maxLength,
    stride: options.doc_stride ?? Math.min(Math.floor(maxLength / 2), 128),
    maxQuestionLength: options.max_question_len ?? 64,
    maxTokens,
    forTraining: false,
  });
  return {
    features,
    answers: (logits) => {
      const { nBest } = decodeAnswers(examples, features, logits, { maxAnswerLength: max_answer_len, nBest: Math.max(20, top_k), nullThreshold: handle_impossible_answer ? 0 : undefined });
      return examples.map(({ id }) => {
        const spans = (nBest.get(id) ?? []).map(({ text, start, end, probability }) => ({ score: probability, start, end, answer: text }));
        const best = spans.length === 0 ? [{ score: 0, start: 0, end: 0, answer: "" }] : spans.slice(0, top_k);
        return top_k === 1 ? best[0] : best;
      });
    },
  };
}
