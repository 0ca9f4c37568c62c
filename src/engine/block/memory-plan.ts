/**
 * Where each tensor of a micro-batch lies in the arena. A tensor lives from the event that writes it to the last one that reads
 * it; two whose lives do not overlap may share memory. Greedy by size (Pisarchyk & Lee 2020): the largest first, each at the
 * lowest offset that is free during its life.
 */
export interface Lifetime {
  readonly name: string;
  readonly byteLength: number;
  /** First and last event, inclusive. */
  readonly first: number;
  readonly last: number;
}

export interface MemoryPlan {
  readonly offsets: ReadonlyMap<string, number>;
  readonly byteLength: number;
}

const alignment = 64;

export function planMemory(lifetimes: readonly Lifetime[]): MemoryPlan {
  const offsets = new Map<string, number>();
  const placed: { offset: number; end: number; first: number; last: number }[] = [];
  let byteLength = 0;
  for (const lifetime of [...lifetimes].sort((a, b) => b.byteLength - a.byteLength || a.first - b.first)) {
    const size = Math.ceil(Math.max(lifetime.byteLength, 1) / alignment) * alignment;
    let offset = 0;
    for (const other of placed) {
      // `placed` is ordered by offset: the first gap that is wide enough is the lowest.
      if (other.first > lifetime.last || other.last < lifetime.first) continue;
      if (other.offset >= offset + size) break;
      offset = Math.max(offset, other.end);
    }
    const entry = { offset, end: offset + size, first: lifetime.first, last: lifetime.last };
    const at = placed.findIndex((other) => other.offset > offset);
    placed.splice(at < 0 ? placed.length : at, 0, entry);
    offsets.set(lifetime.name, offset);
    byteLength = Math.max(byteLength, entry.end);
  }
  return { offsets, byteLength };
}
