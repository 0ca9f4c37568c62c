/**
 * How long questions, contexts and answers are in a model's tokens: what max_length, doc_stride and the longest answer are chosen by.
 */
import type { QaExample } from "../../data/examples.js";
import { answerTokens, contextTokenOffsets, firstAnswer, type PairTokenizer } from "./features.js";

/** Tokens, one number a sample, without cutting anything off. */
export interface TokenLengths {
  question: number[];
  context: number[];
  /** Question, context and special tokens together. */
  pair: number[];
  /** Tokens of the context that the first answer takes up; only of samples whose answer was found. */
  answer: number[];
}

/** Samples tokenised at once. */
const samplesAtOnce = 512;

/**
 * Measures all examples.
 * @example
 * const { pair } = await measureTokenLengths(examples, tokenizer);
 * shareOver(pair, 384); // the share of samples that need more than one window
 */
export async function measureTokenLengths(examples: readonly QaExample[], tokenizer: PairTokenizer): Promise<TokenLengths> {
  const lengths: TokenLengths = { question: [], context: [], pair: [], answer: [] };
  for (let from = 0; from < examples.length; from += samplesAtOnce) {
    const samples = examples.slice(from, from + samplesAtOnce);
    const pairs = samples.map(({ question, context }) => ({ first: question.trim(), second: context }));
    const encodings = await tokenizer.encodePairs(pairs, { maxLength: Number.MAX_SAFE_INTEGER });
    for (const [i, [whole]] of encodings.entries()) {
      lengths.question.push(whole.sequenceIds.filter((sequence) => sequence === 0).length);
      lengths.context.push(whole.sequenceIds.filter((sequence) => sequence === 1).length);
      lengths.pair.push(whole.ids.length);
      const answer = firstAnswer(samples[i]);
      if (answer === undefined) continue;
      const { start, end } = answerTokens(contextTokenOffsets(whole), answer.start, answer.start + answer.text.length);
      if (start > 0) lengths.answer.push(end - start + 1);
    }
  }
  return lengths;
}
