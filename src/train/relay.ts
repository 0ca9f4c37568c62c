/**
 * Turns work that reports through a callback into a generator that yields the reports as they come and returns the work's result, so that
 * an evaluation's progress is part of the one stream of training events.
 */
export async function* relay<T, R>(work: (emit: (value: T) => void) => Promise<R>): AsyncGenerator<T, R> {
  const waiting: T[] = [];
  let wake = (): void => {};
  let settled = false;
  const result = work((value) => {
    waiting.push(value);
    wake();
  }).finally(() => {
    settled = true;
    wake();
  });
  const quietly = result.catch(() => undefined); // thrown by `await result`; this only keeps Node from calling it unhandled before that
  try {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift()!;
      if (settled) return await result;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    await quietly; // a consumer that stops early leaves no work running behind its back
  }
}
