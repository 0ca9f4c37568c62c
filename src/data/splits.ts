/**
 * Setting examples aside, and shuffling them, by a seed. Questions on one context (or article) are much alike: to measure what a model does on
 * unseen text, split by context or title, so that no text stands on both sides.
 */
import { permutation } from "../engine/random.js";
import { LecternError } from "../errors.js";
import type { QaExample } from "./examples.js";

export interface SplitOptions {
  /** The share to set aside, above 0 and below 1. */
  fraction: number;
  seed: number;
  /** What stays together. Default `example`. */
  by?: "example" | "title" | "context";
}

export interface Split {
  train: QaExample[];
  /** About `fraction` of all examples. */
  heldOut: QaExample[];
}

/**
 * Splits examples in two; both parts keep the order of the examples.
 * @throws LecternError DATA_SPLIT when the fraction is out of range, titles are missing, or one part would be empty
 * @example
 * const { train, heldOut } = splitExamples(examples, { fraction: 0.1, seed: 42, by: "title" });
 */
export function splitExamples(examples: readonly QaExample[], options: SplitOptions): Split {
  const { fraction, seed, by = "example" } = options;
  if (!(fraction > 0 && fraction < 1)) {
    throw new LecternError("DATA_SPLIT", {
      message: "The share to set aside is wrong.",
      expected: "a number above 0 and below 1",
      received: String(fraction),
    });
  }
  const groups = new Map<QaExample | string, QaExample[]>();
  for (const example of examples) {
    const key = by === "example" ? example : by === "title" ? titleOf(example) : example.context;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [example]);
    else group.push(example);
  }
  const wanted = Math.max(1, Math.round(examples.length * fraction));
  const inOrder = [...groups.values()];
  const heldOut = new Set<QaExample>();
  const setAside = (group: QaExample[]) => group.forEach((example) => heldOut.add(example));
  for (const index of permutation(inOrder.length, seed)) {
    const size = heldOut.size + inOrder[index].length;
    const comesCloser = Math.abs(size - wanted) < Math.abs(heldOut.size - wanted);
    if (comesCloser && size < examples.length) setAside(inOrder[index]);
  }
  if (heldOut.size === 0 && inOrder.length > 1) setAside(inOrder.reduce((least, group) => (group.length < least.length ? group : least)));
  if (heldOut.size === 0) {
    throw new LecternError("DATA_SPLIT", {
      message: `${examples.length} examples cannot be split by ${by}.`,
      expected: "at least two groups, so that neither part is empty",
      received: String(inOrder.length),
      next: "Give more data, or split by example.",
    });
  }
  return { train: examples.filter((example) => !heldOut.has(example)), heldOut: examples.filter((example) => heldOut.has(example)) };
}

/** The items in an order that depends on the seed only. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  return Array.from(permutation(items.length, seed), (index) => items[index]);
}

function titleOf(example: QaExample): string {
  if (example.title !== undefined) return example.title;
  throw new LecternError("DATA_SPLIT", {
    message: `The example ${example.id} has no title to split by.`,
    expected: "a title for every example",
    received: "none",
    next: "Split by context, or add the titles.",
  });
}
