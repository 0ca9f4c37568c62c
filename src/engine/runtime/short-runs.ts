/** Many short runs that do not depend on each other, of programs that compute on one thread each: as many at a time as there are threads. */
import type { Program, Tensor } from "./runtime.js";

export interface ShortRun {
  readonly program: Program;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** Makes all `runs`, `lanes` at a time. */
export async function shortRuns(runs: readonly ShortRun[], lanes: number): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < runs.length) {
      const { program, inputs, outputs } = runs[next++];
      await program.run(inputs, outputs);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
