/** Many short runs that do not depend on each other, of programs that compute on one thread each: as many at a time as there are queues. */
import { type Queue, queuesOf, type RunCommand, type Runtime } from "./runtime.js";

/** Runs submitted together, so that a queue need not wait for the event loop after each. */
const together = 4;

/** Makes all `runs`. Queues take what is left as they get done with what they have: one that is disturbed makes fewer. */
export async function shortRuns(runtime: Runtime, runs: readonly RunCommand[]): Promise<void> {
  const queues = await queuesOf(runtime);
  let next = 0;
  const feed = async (queue: Queue) => {
    while (next < runs.length) await queue.submit(runs.slice(next, (next += together)));
  };
  // Two lists for each queue: while one is computed, the next is there.
  await Promise.all([...queues, ...queues].map(feed));
}

/** Elements of a piece: AdamW over 22.7 million parameters took 25 ms with 2¹⁷ or 2¹⁸, 32 with 2¹⁵, 37 with 2¹⁴ (two cores, two pieces at a time). */
export const pieceLength = 1 << 18;

/** A stretch of elements (`end` is exclusive) in pieces, each for a short run: what one operator writes is still in the cache when the next reads it. */
export function piecesOf({ start, end }: { start: number; end: number }, piece = pieceLength): { start: number; length: number }[] {
  return Array.from({ length: Math.ceil((end - start) / piece) }, (_, index) => {
    const from = start + index * piece;
    return { start: from, length: Math.min(piece, end - from) };
  });
}
