/** Minimum cut of a flow network by shortest augmenting paths (Edmonds & Karp 1972); the networks here have some hundred vertices. */

/** The vertices on the source's side of a smallest cut between `source` and `sink`: where several are equally small, the one nearest the sink. */
export function minimumCut(
  vertexCount: number,
  edges: readonly (readonly [from: number, to: number, capacity: number])[],
  source: number,
  sink: number,
): Set<number> {
  const outgoing: number[][] = Array.from({ length: vertexCount }, () => []);
  const head: number[] = [];
  const residual: number[] = [];
  for (const [from, to, capacity] of edges) {
    outgoing[from].push(head.length);
    head.push(to);
    residual.push(capacity);
    outgoing[to].push(head.length); // the reverse edge, at the odd index
    head.push(from);
    residual.push(0);
  }
  for (;;) {
    const arrivedBy = new Map<number, number>([[source, -1]]);
    const queue = [source];
    for (const vertex of queue) {
      if (vertex === sink) break;
      for (const edge of outgoing[vertex]) {
        if (residual[edge] > 0 && !arrivedBy.has(head[edge])) {
          arrivedBy.set(head[edge], edge);
          queue.push(head[edge]);
        }
      }
    }
    if (!arrivedBy.has(sink)) break;
    const path: number[] = [];
    for (let vertex = sink; vertex !== source; vertex = head[path[path.length - 1] ^ 1]) path.push(arrivedBy.get(vertex)!);
    const flow = Math.min(...path.map((edge) => residual[edge]));
    if (flow === Infinity) throw new Error("internal: the backward pass reads a value that can be neither kept nor computed again");
    for (const edge of path) {
      residual[edge] -= flow;
      residual[edge ^ 1] += flow;
    }
  }
  // What cannot reach the sink any more.
  const reaching = new Set([sink]);
  for (const vertex of reaching) for (const edge of outgoing[vertex]) if (residual[edge ^ 1] > 0) reaching.add(head[edge]);
  return new Set([...outgoing.keys()].filter((vertex) => !reaching.has(vertex)));
}
