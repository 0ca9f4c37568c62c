/**
 * The orders in which a report lists its questions. Each is made once, of unrounded figures and all questions; equal ones stand in the order of the
 * data. The page holds the beginning of each.
 */
import type { ExampleResult } from "../example-results.js";

/** What a person chooses by. */
export const orderTitles = {
  worst: "F1, lowest first",
  best: "F1, highest first",
  sure: "surest mistakes first",
  score_high: "score, highest first",
  score_low: "score, lowest first",
  apart: "largest difference of F1 first",
  data: "as in the data",
} as const;

export type OrderName = keyof typeof orderTitles;

type Compare = (a: number, b: number) => number;

/**
 * Indices of the results in each order. By F1 equal ones are told apart by exact match, and then by their score, the surest first.
 * @param others results of a second model, for `apart`, which is left out without them
 */
export function reportOrders(results: readonly ExampleResult[], others?: readonly ExampleResult[]): Partial<Record<OrderName, number[]>> & { worst: number[] } {
  const sorted = (...compare: Compare[]): number[] =>
    results.map((_, index) => index).sort((a, b) => compare.reduce((found, one) => (found === 0 ? one(a, b) : found), 0) || a - b);
  const ascending =
    (value: (result: ExampleResult, index: number) => number): Compare =>
    (a, b) =>
      value(results[a], a) - value(results[b], b);
  const descending =
    (value: (result: ExampleResult, index: number) => number): Compare =>
    (a, b) =>
      value(results[b], b) - value(results[a], a);
  const [f1, exact, score] = [({ f1 }: ExampleResult) => f1, ({ exact }: ExampleResult) => exact, ({ probability }: ExampleResult) => probability];
  return {
    worst: sorted(ascending(f1), ascending(exact), descending(score)),
    best: sorted(descending(f1), descending(exact), descending(score)),
    sure: sorted(descending((result) => (1 - result.f1) * result.probability)),
    score_high: sorted(descending(score)),
    score_low: sorted(ascending(score)),
    ...(others && { apart: sorted(descending((result, index) => Math.abs(result.f1 - others[index].f1))) }),
    data: results.map((_, index) => index),
  };
}
