/**
 * Which windows run next. Requests are served in the order in which they came, a window of each in turn, until the budget of tokens is
 * used: a long context is read over several batches while short ones pass through beside it, and the oldest request has a window in
 * every batch, so none waits for ever. There is no timer: while a batch runs, requests gather, and they are the next one.
 */
import type { BatchPart } from "./messages.js";

/** A request with windows that have not run. */
export interface Waiting {
  readonly id: number;
  /** Tokens of each of its windows. */
  readonly lengths: readonly number[];
  /** Its first window that has not run. */
  readonly next: number;
}

/**
 * The next batch: at least one window if any waits, and no more tokens than the budget unless a single window has more.
 * @param waiting the oldest first
 * @example nextBatch([{ id: 1, lengths: [384, 384, 90], next: 0 }, { id: 2, lengths: [60], next: 0 }], 512); // 1: [0, 1), 2: [0, 1)
 */
export function nextBatch(waiting: readonly Waiting[], budget: number): BatchPart[] {
  const taken = waiting.map(({ next }) => next);
  let left = budget;
  let isEmpty = true;
  let open = waiting.map((_, index) => index);
  while (open.length > 0) {
    open = open.filter((index) => {
      const length = waiting[index].lengths[taken[index]];
      if (length === undefined || (length > left && !isEmpty)) return false;
      taken[index]++;
      left -= length;
      isEmpty = false;
      return true;
    });
  }
  return waiting.flatMap(({ id, next }, index) => (taken[index] > next ? [{ id, from: next, to: taken[index] }] : []));
}
