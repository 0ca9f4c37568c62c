/**
 * From examples to what a reader is fed: windows of question and context, each with the tokens at which its answer begins and ends. The label
 * rule is that of Hugging Face's question-answering scripts: the first token of the window (CLS) where the example has no answer, or the
 * window does not hold all of it. Typed arrays throughout: a data set has millions of tokens.
 */
import { LecternError } from "../../errors.js";
import type { QaExample } from "../../data/examples.js";
import type { Encoding, Tokenizer } from "../../text/tokenizer.js";

/** One window. */
export interface Feature {
  /** The example's index in the list that features were made of. */
  exampleIndex: number;
  exampleId: string;
  /** [length] */
  ids: Int32Array;
  /** [length] */
  typeIds: Int32Array;
  /** [length, 2]: start and end of each context token in UTF-16 code units of the context; −1 for other tokens. */
  offsets: Int32Array;
  /** [length, 2]: as `offsets`, of the word that each token is part of, as far as it stands in the window. Only where asked for. */
  wordOffsets?: Int32Array;
  /** Label: the token at which the answer begins; 0 (CLS) for none. */
  start: number;
  /** Label: the token at which the answer ends, inclusive. */
  end: number;
  /** Tokens of the window. */
  length: number;
  /** There where the question is longer than what was kept of it. */
  questionCut?: true;
}

export interface FeatureOptions {
  /** Tokens of a window at most, special ones included. */
  maxLength: number;
  /** Tokens by which neighbouring windows overlap. Undefined: one window an example, the rest of the context is dropped. */
  stride?: number;
  /** Tokens of a question that are kept. Default: half of maxLength. */
  maxQuestionLength?: number;
  /** Tokens of all windows of the examples that are tokenised at once. Undefined: no limit. */
  maxTokens?: number;
  /** Leaves out examples whose answers were not found in their context or whose context has no text, and refuses data from which nothing can be learnt. */
  forTraining: boolean;
  /** Give features the places of words, too. Default false. */
  words?: boolean;
}

export interface FeatureReport {
  /** Examples that have features. */
  examples: number;
  windows: number;
  /** Tokens of all windows. */
  tokens: number;
  /** Examples left out, since their answers were not found in the context or it has no text (training only). */
  skippedExamples: number;
  /** Examples without an answer: all their windows are labelled CLS. */
  impossibleExamples: number;
  /** Windows labelled CLS. */
  windowsWithoutAnswer: number;
  /** Examples that have an answer, but no window that holds it whole. */
  answersCutOff: number;
  /** Examples whose question was longer than maxQuestionLength. */
  questionsCut: number;
  /** Examples whose context needed more than one window, or was cut (without stride). */
  longContexts: number;
}

/** The part of the tokenizer that features need. */
export type PairTokenizer = Pick<Tokenizer, "encodePairs">;

/** Examples tokenised at once: enough to keep the library's threads busy, few enough that their JavaScript arrays stay small. */
const examplesAtOnce = 512;

/**
 * The windows of all examples, in the order of the examples.
 * @throws LecternError TOKENIZER_WINDOW when the lengths do not fit each other, NO_TRAINABLE_ANSWER when training would learn nothing
 * @example
 * const { features, report } = await makeFeatures(examples, tokenizer, { maxLength: 384, stride: 128, forTraining: true });
 */
export async function makeFeatures(
  examples: readonly QaExample[],
  tokenizer: PairTokenizer,
  options: FeatureOptions,
): Promise<{ features: Feature[]; report: FeatureReport }> {
  const { maxLength, stride, maxQuestionLength = Math.floor(maxLength / 2), maxTokens, forTraining } = options;
  const features: Feature[] = [];
  const report: FeatureReport = {
    examples: 0,
    windows: 0,
    tokens: 0,
    skippedExamples: 0,
    impossibleExamples: 0,
    windowsWithoutAnswer: 0,
    answersCutOff: 0,
    questionsCut: 0,
    longContexts: 0,
  };
  const used: number[] = [];
  examples.forEach((example, index) => {
    if (forTraining && !isTrainable(example)) report.skippedExamples++;
    else used.push(index);
  });

  for (let from = 0; from < used.length; from += examplesAtOnce) {
    const indices = used.slice(from, from + examplesAtOnce);
    const pairs = indices.map((index) => ({ first: examples[index].question.trim(), second: examples[index].context }));
    const encodings = await tokenizer.encodePairs(pairs, {
      maxLength,
      stride,
      maxFirstLength: maxQuestionLength,
      maxTokens,
      words: options.words,
    });
    for (const [i, windows] of encodings.entries()) {
      const example = examples[indices[i]];
      const isCut = isQuestionCut(windows[0], pairs[i].first, maxQuestionLength);
      const made = windows.map((window) => ({ ...makeFeature(window, example, indices[i]), ...(isCut && { questionCut: true as const }) }));
      features.push(...made);
      countExample(report, example, made);
      if (isCut) report.questionsCut++;
      if (made.length > 1 || isContextCut(made[0], example.context)) report.longContexts++;
    }
  }
  if (forTraining) refuseIfNothingToLearn(report);
  return { features, report };
}

/** Whether there is something to learn from: an answer that was found, or a text that has none. */
function isTrainable(example: QaExample): boolean {
  return example.impossible ? example.context.trim() !== "" : firstAnswer(example) !== undefined;
}

function makeFeature(window: Encoding, example: QaExample, exampleIndex: number): Feature {
  const length = window.ids.length;
  const offsets = contextTokenOffsets(window);
  const feature = {
    exampleIndex,
    exampleId: example.id,
    ids: Int32Array.from(window.ids),
    typeIds: Int32Array.from(window.typeIds),
    offsets,
    ...(window.wordIds && { wordOffsets: wordOffsets(offsets, window.wordIds) }),
    length,
  };
  const answer = firstAnswer(example);
  return { ...feature, ...(answer === undefined ? noSpan : answerTokens(offsets, answer.start, answer.start + answer.text.length)) };
}

/** The offsets of a window's tokens as a feature holds them: −1 for all but the context's. */
export function contextTokenOffsets(window: Encoding): Int32Array {
  const offsets = new Int32Array(2 * window.ids.length).fill(-1);
  for (const [token, span] of window.offsets.entries()) if (window.sequenceIds[token] === 1) offsets.set(span, 2 * token);
  return offsets;
}

/** Each context token's offsets widened to its neighbours of the same word; a token that is part of no word keeps its own. */
function wordOffsets(offsets: Int32Array, wordIds: readonly (number | null)[]): Int32Array {
  const words = offsets.slice();
  const sameWord = (token: number, next: number) =>
    offsets[2 * token] >= 0 && offsets[2 * next] >= 0 && wordIds[token] !== null && wordIds[token] === wordIds[next];
  for (let token = 1; token < wordIds.length; token++) if (sameWord(token - 1, token)) words[2 * token] = words[2 * (token - 1)];
  for (let token = wordIds.length - 1; token > 0; token--)
    if (sameWord(token - 1, token)) words[2 * (token - 1) + 1] = words[2 * token + 1];
  return words;
}

const noSpan = { start: 0, end: 0 };

/** The answer that is trained on: the first that stands in the context. */
export function firstAnswer(example: QaExample): { text: string; start: number } | undefined {
  return example.answers.find((answer) => answer.start >= 0);
}

/**
 * The tokens of the characters [from, to): the last context token that begins at or before `from`, to the first that ends at or after `to`.
 * CLS for both when the window does not hold all of them.
 * @param offsets as in `Feature`
 */
export function answerTokens(offsets: Int32Array, from: number, to: number): { start: number; end: number } {
  const { first, last } = contextTokens(offsets);
  if (first < 0 || offsets[2 * first] > from || offsets[2 * last + 1] < to) return noSpan;
  let start = first;
  while (start < last && offsets[2 * (start + 1)] <= from) start++;
  let end = last;
  while (end > first && offsets[2 * (end - 1) + 1] >= to) end--;
  return { start, end };
}

/** The first and last context token of a window; −1 when it has none. */
export function contextTokens(offsets: Int32Array): { first: number; last: number } {
  const tokens = offsets.length / 2;
  let first = 0;
  while (first < tokens && offsets[2 * first] < 0) first++;
  if (first === tokens) return { first: -1, last: -1 };
  let last = tokens - 1;
  while (offsets[2 * last] < 0) last--;
  return { first, last };
}

function countExample(report: FeatureReport, example: QaExample, made: Feature[]): void {
  const without = made.filter((feature) => feature.start === 0).length;
  report.examples++;
  report.windows += made.length;
  report.tokens += made.reduce((sum, feature) => sum + feature.length, 0);
  report.windowsWithoutAnswer += without;
  if (example.impossible) report.impossibleExamples++;
  else if (without === made.length && firstAnswer(example) !== undefined) report.answersCutOff++;
}

/** What is told where questions were longer than what is read of them by default. */
export function describeQuestionsCut({ questionsCut, examples }: Pick<FeatureReport, "questionsCut" | "examples">, maxLength: number): string {
  return `${questionsCut} of ${examples} questions are longer than half of a window (${Math.floor(maxLength / 2)} tokens), and were read up to there.`;
}

/** Kept to the limit, with text behind the last kept token. */
function isQuestionCut(window: Encoding, question: string, limit: number): boolean {
  const last = window.sequenceIds.lastIndexOf(0);
  if (last < 0 || last - window.sequenceIds.indexOf(0) + 1 < limit) return false;
  return window.offsets[last][1] < question.length;
}

/** Text of the context stands behind the only window's last token. */
function isContextCut({ offsets }: Feature, context: string): boolean {
  const { last } = contextTokens(offsets);
  return last >= 0 && context.slice(offsets[2 * last + 1]).trim() !== "";
}

function refuseIfNothingToLearn(report: FeatureReport): void {
  const answerable = report.examples - report.impossibleExamples;
  if (answerable > report.answersCutOff) return;
  const { skippedExamples, impossibleExamples, answersCutOff } = report;
  throw new LecternError("NO_TRAINABLE_ANSWER", {
    message: "There is no answer to learn in the training data.",
    expected: "at least one answer that stands in its context, inside a window",
    received: `${answersCutOff} answers cut off, ${skippedExamples} not found in their context, ${impossibleExamples} questions without answer`,
    next:
      answersCutOff > 0
        ? "Raise max_length, or set stride so that long contexts are read through several windows."
        : "Look at the data with lectern inspect.",
  });
}
