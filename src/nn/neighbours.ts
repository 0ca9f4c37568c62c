/** What stands around each place of a sequence: convolutions are linear layers of it, MobileBERT's embeddings too. */
import { pad, slice, type Value } from "../engine/index.js";

/** x [batch, seq, width] moved by −margin, …, margin places: at each place its neighbours from the first to the last, zeros beyond the ends. */
export function neighbours(x: Value, margin: number): Value[] {
  const padded = pad(x, 1, margin, margin);
  return Array.from({ length: 2 * margin + 1 }, (_, offset) => slice(padded, 1, offset, x.shape[1]));
}
