/** An evaluation question by question: what was answered, how sure, how right, and where it went wrong. */
import type { QaExample } from "../data/examples.js";
import type { DecodedAnswers } from "../tasks/extractive/decode.js";
import type { Answer } from "../tasks/extractive/answer-spans.js";
import { type Outcome, outcomeOf, type Placed } from "./outcome.js";
import { type AnswerScores, squad1Scores, squad2Scores } from "./squad.js";
import { type TextSimilarity, textSimilarity } from "./text-similarity.js";

export interface ExampleResult {
  readonly example: QaExample;
  /** "" for no answer. */
  readonly prediction: string;
  /** Where the prediction stands in the context; undefined for no answer. */
  readonly span: Placed | undefined;
  /** Probability of what was answered, that of having no answer included, from 0 to 1. */
  readonly probability: number;
  /** Score of no answer less score of the best answer. */
  readonly nullOdds: number;
  /** EM and F1, from 0 to 1, as the SQuAD script of the data's version counts them. */
  readonly exact: number;
  readonly f1: number;
  /** The scores of the best answer, given or not: what answering at any null threshold would have. */
  readonly unheld: AnswerScores;
  readonly outcome: Outcome;
  /** The prediction against the first gold answer, as plain texts. */
  readonly text: TextSimilarity;
  /** What transformers' pipeline would answer, and its score; undefined where that was not computed. */
  readonly pipeline: Pick<Answer, "answer" | "score"> | undefined;
}

export interface ExampleResultOptions {
  /** As the answers were decoded with: undefined for SQuAD 1.1. */
  readonly nullThreshold?: number;
  /** The pipeline's answers, by example id. */
  readonly pipeline?: ReadonlyMap<string, Answer>;
}

/**
 * One result an example, in their order. The means of `exact` and `f1` are the metrics of the whole.
 * @example
 * const results = exampleResults(examples, answers);
 * results.filter(({ outcome }) => outcome === "boundary").length;
 */
export function exampleResults(examples: readonly QaExample[], answers: DecodedAnswers, options: ExampleResultOptions = {}): ExampleResult[] {
  const { nullThreshold, pipeline } = options;
  const scoresOf = nullThreshold === undefined ? squad1Scores : squad2Scores;
  return examples.map((example) => {
    const spans = answers.nBest.get(example.id) ?? [];
    const prediction = answers.predictions.get(example.id) ?? "";
    const best = spans.at(0);
    const given = pipeline?.get(example.id);
    const answered = prediction !== "" && best !== undefined;
    const scores = scoresOf(example, prediction);
    const span = answered ? { start: best.start, end: best.end } : undefined;
    return {
      example,
      prediction,
      span,
      probability: answered ? best.probability : spans.length === 0 && given ? given.score : nullProbability(spans, nullThreshold),
      nullOdds: answers.nullOdds.get(example.id) ?? 0,
      ...scores,
      unheld: best === undefined ? scores : scoresOf(example, best.text),
      outcome: outcomeOf(example, prediction, span, scores),
      text: textSimilarity(prediction, example.answers.at(0)?.text ?? ""),
      pipeline: given,
    };
  });
}

/** What is left of 1 beside the spans; without a null threshold there is no such answer. */
function nullProbability(spans: readonly { probability: number }[], nullThreshold: number | undefined): number {
  if (nullThreshold === undefined) return 0;
  return Math.min(1, Math.max(0, 1 - spans.reduce((sum, { probability }) => sum + probability, 0)));
}
