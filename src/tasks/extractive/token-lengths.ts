/**
 * How long questions, contexts and answers are in a model's tokens: what max_length, stride and the longest answer are chosen by.
 */
import type { QaExample } from "../../data/examples.js";
import { windowStep } from "../../text/windows.js";
import { answerTokens, contextTokenOffsets, type Feature, firstAnswer, type PairTokenizer } from "./features.js";

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

/**
 * The same of samples that were made into windows, in the order of the samples, without tokenising them again. Questions count as far as the
 * windows keep them; without a stride contexts do, too; answers that no window holds whole are left out.
 * @param options.specialTokens of a window
 * @param options.stride that the windows were made with
 * @example
 * const { features } = await makeFeatures(examples, tokenizer, { maxLength: 384, stride: 128, forTraining: true });
 * const { question } = featureLengths(features, { specialTokens: tokenizer.pairSpecialTokens, stride: 128 });
 */
export function featureLengths(features: readonly Feature[], { specialTokens, stride }: { specialTokens: number; stride?: number }): TokenLengths {
  const lengths: TokenLengths = { question: [], context: [], pair: [], answer: [] };
  for (let first = 0, next = 0; first < features.length; first = next) {
    while (next < features.length && features[next].exampleIndex === features[first].exampleIndex) next++;
    const room = contextTokenCount(features[first]);
    const question = features[first].length - room - specialTokens;
    // all windows but the last are full, and each begins one step after the one before
    const step = stride === undefined ? room : windowStep(room, stride);
    const context = (next - first - 1) * step + contextTokenCount(features[next - 1]);
    lengths.question.push(question);
    lengths.context.push(context);
    lengths.pair.push(question + context + specialTokens);
    const whole = features.slice(first, next).find(({ start }) => start > 0);
    if (whole !== undefined) lengths.answer.push(whole.end - whole.start + 1);
  }
  return lengths;
}

function contextTokenCount({ offsets, length }: Feature): number {
  let count = 0;
  for (let token = 0; token < length; token++) if (offsets[2 * token] >= 0) count++;
  return count;
}
