/**
 * What transformers' question-answering pipeline would say to each question of an evaluation, with its default settings: answers of at most 15 tokens,
 * widened to whole words, and the pipeline's own score, which is not the probability among the n best (docs/decisions/030). It is computed from the logits
 * that the evaluation has anyway, so its windows are the evaluation's; with `max_length` 384 and `stride` 128 these are the pipeline's too.
 */
import type { QaExample } from "../data/examples.js";
import { type AnswerOptions, resolveAnswerOptions } from "../tasks/extractive/answer-options.js";
import { type Answer, answerSpans } from "../tasks/extractive/answer-spans.js";
import type { DecodedAnswers, SpanLogits } from "../tasks/extractive/decode.js";
import type { Feature } from "../tasks/extractive/features.js";

/**
 * The pipeline's best answer to each example, by its id. Examples without features are left out.
 * @param features made with `words`
 * @param logits of each feature, at the same index
 * @param clsId the id of the token that stands for no answer
 * @param asked handle_impossible_answer and align_to_words, the two settings that an evaluation has
 */
export function pipelineAnswers(
  examples: readonly QaExample[],
  features: readonly Feature[],
  logits: readonly SpanLogits[],
  clsId: number,
  asked: Pick<AnswerOptions, "handle_impossible_answer" | "align_to_words">,
): Map<string, Answer> {
  const options = resolveAnswerOptions(asked, Infinity);
  const windowsOf = new Map<number, number[]>();
  for (const [i, { exampleIndex }] of features.entries()) {
    const windows = windowsOf.get(exampleIndex);
    if (windows === undefined) windowsOf.set(exampleIndex, [i]);
    else windows.push(i);
  }
  const answers = new Map<string, Answer>();
  for (const [exampleIndex, windows] of windowsOf) {
    const { id, context } = examples[exampleIndex];
    const [best] = answerSpans(
      context,
      windows.map((i) => features[i]),
      windows.map((i) => logits[i]),
      clsId,
      options,
    );
    answers.set(id, best);
  }
  return answers;
}

/** The pipeline's answers in the place of the n best: one span a question, whose score and probability are the pipeline's score. */
export function decodedAsPipeline({ nullOdds }: DecodedAnswers, pipeline: ReadonlyMap<string, Answer>): DecodedAnswers {
  const answers = [...pipeline];
  return {
    predictions: new Map(answers.map(([id, { answer }]) => [id, answer])),
    nullOdds,
    nBest: new Map(answers.map(([id, { answer: text, start, end, score }]) => [id, text === "" ? [] : [{ text, start, end, score, probability: score }]])),
  };
}
