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

/** Runs the reader over windows. The signal stops it between two batches. */
export async function inferSpans(reader: Reader, program: InferenceExecutor, features: readonly Feature[], options: InferOptions): Promise<Inferred> {
  const { batchSize, padTo, onProgress, signal } = options;
  const logits = new Array<SpanLogits>(features.length);
  const lengths = features.map(({ length }) => padTo ?? length);
  let loss = 0;
  let done = 0;
  for (const group of groupByLength(lengths, batchSize, batchTokens)) {
    signal?.throwIfAborted();
    const chosen = group.map((index) => features[index]);
    const { bindings, inputs } = collate(chosen, reader.encoder, { weight: 0.5, padTo, padTypeId: reader.tokenizer.padTypeId });
    const outputs = await program.run(bindings, inputs);
    group.forEach((index, row) => {
      const from = row * bindings.seq;
      const cut = (values: Float32Array) => values.slice(from, from + features[index].length);
      logits[index] = { start: cut(outputs.start_logits), end: cut(outputs.end_logits) };
    });
    loss += outputs.loss[0];
    done += group.length;
    onProgress?.(done, features.length);
  }
  return { logits, loss: features.length === 0 ? 0 : loss / features.length };
}
