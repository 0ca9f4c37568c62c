/** Trains a tiny reader for many steps of varying shapes, and prints the resident memory after every few as one JSON list of bytes. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { openExtractiveRun } from "../src/train/extractive-run.js";
import { loadRecipe } from "../src/train/recipe-load.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const [recipe, steps, every, ...overrides] = process.argv.slice(2);
const run = await openExtractiveRun(await loadRecipe(recipe, overrides));
const resident: number[] = [];
for (let step = 0; step < Number(steps); step++) {
  await run.step.run(run.batches.batch(step), 1e-3);
  if (step % Number(every) === 0) {
    collectGarbage();
    resident.push(process.memoryUsage.rss());
  }
}
console.log(JSON.stringify(resident));
await run.close();
