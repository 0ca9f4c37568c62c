/** The logits of many windows: batches of like length, so that almost nothing is padding. */
import type { InferenceExecutor } from "../../engine/index.js";
import { collate, groupByLength } from "./collate.js";
import type { SpanLogits } from "./decode.js";
import type { Feature } from "./features.js";
import type { Reader } from "./reader.js";

export interface InferOptions {
  /** Most windows in a batch. */
  readonly batchSize: number;
  readonly padTo?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface Inferred {
  /** Of each window, at the same index, padding cut off. */
  readonly logits: SpanLogits[];
  /** The mean over the windows of the mean of both cross-entropies with the labels. */
  readonly loss: number;
}

/** Tokens of a batch, padding included: enough rows for the matrix products, few enough that activations stay in the caches. */
const batchTokens = 2048;
/** The same for batches of which several are computed at once, each on one thread (docs/decisions/036). */
const tokensOnOneThread = 512;
/** Batches from which on it pays to make a program that computes several at once. */
const manyBatches = 16;

/** Runs the reader over windows. The signal stops it between two batches. */
export async function inferSpans(reader: Reader, program: InferenceExecutor, features: readonly Feature[], options: InferOptions): Promise<Inferred> {
  const { batchSize, padTo, onProgress, signal } = options;
  const logits = new Array<SpanLogits>(features.length);
  const lengths = features.map(({ length }) => padTo ?? length);
  const small = groupByLength(lengths, batchSize, tokensOnOneThread);
  const { atOnce, run } = small.length >= manyBatches ? await program.many() : { atOnce: 1, run: program.run };
  const groups = atOnce > 1 ? small : groupByLength(lengths, batchSize, batchTokens);
  const losses = new Array<number>(groups.length).fill(0);
  let done = 0;
  const inferGroup = async (group: readonly number[], place: number): Promise<void> => {
    signal?.throwIfAborted();
    const chosen = group.map((index) => features[index]);
    const { bindings, inputs } = collate(chosen, reader.encoder, { weight: 0.5, padTo, padTypeId: reader.tokenizer.padTypeId });
    const outputs = await run(bindings, inputs);
    group.forEach((index, row) => {
      const from = row * bindings.seq;
      const cut = (values: Float32Array) => values.slice(from, from + features[index].length);
      logits[index] = { start: cut(outputs.start_logits), end: cut(outputs.end_logits) };
    });
    losses[place] = outputs.loss[0];
    done += group.length;
    onProgress?.(done, features.length);
  };
  const waiting = groups.entries();
  const finished = await Promise.allSettled(
    Array.from({ length: atOnce }, async () => {
      for (const [place, group] of waiting) await inferGroup(group, place);
    }),
  );
  for (const outcome of finished) if (outcome.status === "rejected") throw outcome.reason;
  const loss = losses.reduce((sum, one) => sum + one, 0);
  return { logits, loss: features.length === 0 ? 0 : loss / features.length };
}
