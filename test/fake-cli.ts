/**
 * The real command line with the fake run behind `lectern train`, as a process of its own. FAKE_STEP_DELAY: milliseconds a step takes;
 * FAKE_HANG_WHILE_SAVING: N hangs in the middle of the N-th save, after printing "half saved", until it is killed.
 */
import { writeSync } from "node:fs";
import { createProgram, runProgram } from "../src/cli/program.js";
import { registerTrain } from "../src/cli/train.js";
import type { Run } from "../src/train/run.js";
import { openFakeRun } from "./fake-run.js";

const hangAt = Number(process.env.FAKE_HANG_WHILE_SAVING ?? 0);
let saves = 0;

async function whileSaving(): Promise<void> {
  saves += 1;
  if (saves !== hangAt) return;
  writeSync(1, "half saved\n");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}

const program = createProgram([
  (root) =>
    registerTrain(root, async (recipe) => {
      return openFakeRun(recipe, { stepDelay: Number(process.env.FAKE_STEP_DELAY ?? 0), whileSaving }) as Run<unknown>;
    }),
]);
await runProgram(program, process.argv.slice(2));
