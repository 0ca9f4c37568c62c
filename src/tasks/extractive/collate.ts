/** Windows side by side as the tensors a reader takes: padded to the longest of them and no further. */
import type { Bindings, HostArray } from "../../engine/index.js";
import type { Encoder } from "../../models/define-model.js";
import type { Feature } from "./features.js";

export interface Collated {
  readonly bindings: Bindings;
  readonly inputs: Readonly<Record<string, HostArray>>;
}

export interface CollateOptions {
  /** What each window's two cross-entropies count for in the loss. */
  readonly weight: number;
  /** Pad to this length instead of the longest window's. */
  readonly padTo?: number;
  readonly padTypeId: number;
}

/** The inputs of `readerNetwork` for some windows. */
export function collate(features: readonly Feature[], encoder: Encoder, { weight, padTo, padTypeId }: CollateOptions): Collated {
  const batch = features.length;
  const seq = padTo ?? Math.max(...features.map(({ length }) => length));
  const input_ids = new BigInt64Array(batch * seq).fill(BigInt(encoder.padTokenId));
  const attention_mask = new BigInt64Array(batch * seq);
  const token_type_ids = new BigInt64Array(batch * seq).fill(BigInt(padTypeId));
  features.forEach(({ ids, typeIds, length }, row) => {
    for (let i = 0, at = row * seq; i < length; i++, at++) {
      input_ids[at] = BigInt(ids[i]);
      attention_mask[at] = 1n;
      token_type_ids[at] = BigInt(typeIds[i]);
    }
  });
  const weights = new Float32Array(batch).fill(weight);
  return {
    bindings: { batch, seq },
    inputs: {
      input_ids,
      attention_mask,
      ...(encoder.tokenTypes !== undefined && { token_type_ids }),
      start_positions: BigInt64Array.from(features, ({ start }) => BigInt(start)),
      end_positions: BigInt64Array.from(features, ({ end }) => BigInt(end)),
      start_weights: weights,
      end_weights: weights,
    },
  };
}

/**
 * Cuts windows into groups of like length: sorted by length, each group at most `most` windows and `tokens` tokens, padding
 * included. Groups hold indices into `lengths`, the longest windows first.
 */
export function groupByLength(lengths: ArrayLike<number>, most: number, tokens: number): number[][] {
  const order = Array.from(lengths, (_, index) => index).sort((a, b) => lengths[b] - lengths[a] || a - b);
  const groups: number[][] = [];
  let widest = 0;
  for (const index of order) {
    const group = groups.at(-1);
    if (group === undefined || group.length >= most || (group.length + 1) * widest > tokens) {
      groups.push([index]);
      widest = lengths[index];
    } else group.push(index);
  }
  return groups;
}
