/** Many short runs that do not depend on each other: a few at a time, so that one is handed over while another computes. */
import type { Program, Tensor } from "../runtime/runtime.js";

export interface ShortRun {
  readonly program: Program;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** Makes all `runs`, `lanes` at a time. */
export async function shortRuns(runs: readonly ShortRun[], lanes = 2): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < runs.length) {
      const { program, inputs, outputs } = runs[next++];
      await program.run(inputs, outputs);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
