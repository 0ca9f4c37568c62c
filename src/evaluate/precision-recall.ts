/**
 * Precision and recall over the null threshold, as the official SQuAD 2.0 script computes them (make_precision_recall_eval of evaluate-v2.0.py):
 * questions are answered from the surest on. After k answers, TP is the sum of the scores (EM or F1) of those that have an answer; precision is
 * TP/k, recall TP/(number of questions that have one), and average precision Σ precision · (step of recall), with a step wherever the
 * threshold can stand between two different null odds.
 */

export interface RankedAnswer {
  /** The higher, the less likely is an answer. */
  nullOdds: number;
  /** The question has an answer. */
  answerable: boolean;
  /** EM or F1 of the answer when one is given whatever the null odds, from 0 to 1. */
  score: number;
}

export interface PrecisionRecallPoint {
  /** Answering where the null odds are not above this; −Infinity for the first point, which answers nothing. */
  threshold: number;
  precision: number;
  recall: number;
}

export interface PrecisionRecall {
  points: PrecisionRecallPoint[];
  /** From 0 to 1; the script prints it in percent. */
  averagePrecision: number;
  /** The threshold with the highest mean score over all questions, where "" is right for those without an answer. */
  best: { threshold: number; score: number };
}

/**
 * The curve and its average precision; undefined where no question has an answer, as the script then prints none.
 * @example
 * precisionRecall([{ nullOdds: -3, answerable: true, score: 1 }])!.averagePrecision; // 1
 */
export function precisionRecall(answers: readonly RankedAnswer[]): PrecisionRecall | undefined {
  const answerable = answers.filter((answer) => answer.answerable).length;
  if (answerable === 0) return undefined;
  const ranked = answers.toSorted((a, b) => a.nullOdds - b.nullOdds);
  const points: PrecisionRecallPoint[] = [{ threshold: -Infinity, precision: 1, recall: 0 }];
  const unanswerable = answers.length - answerable;
  let best = { threshold: -Infinity, score: unanswerable / answers.length };
  let truePositives = 0;
  let answeredWrongly = 0; // though they have no answer
  let averagePrecision = 0;
  for (const [i, answer] of ranked.entries()) {
    if (answer.answerable) truePositives += answer.score;
    else if (answer.score < 1) answeredWrongly++;
    if (i + 1 < ranked.length && ranked[i + 1].nullOdds === answer.nullOdds) continue;
    const point = { threshold: answer.nullOdds, precision: truePositives / (i + 1), recall: truePositives / answerable };
    averagePrecision += point.precision * (point.recall - points[points.length - 1].recall);
    points.push(point);
    const score = (truePositives + unanswerable - answeredWrongly) / answers.length;
    if (score > best.score) best = { threshold: answer.nullOdds, score };
  }
  return { points, averagePrecision, best };
}
