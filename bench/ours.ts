/** Our side of the comparison: `lectern train` as a user runs it, in its own process, from a recipe written for the occasion. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LecternError } from "../src/errors.js";
import type { RecipeInput } from "../src/train/recipe.js";
import { jsonObjects, runMeasured } from "./process.js";

export interface OurFigures {
  /** Windows trained on. */
  samples: number;
  /** Tokens trained on, padding left out. */
  tokens: number;
  /** Seconds of the whole training, without evaluation. */
  seconds: number;
  samples_per_second: number;
  /** Of the whole process, evaluation included. */
  peak_memory_mb?: number;
  exact?: number;
  f1?: number;
  eval_loss?: number;
  /** What the program itself says of its memory and time, where it does. */
  resources?: unknown;
}

/**
 * Trains by a recipe with the command line program at `program` (dist/cli/main.js) and reads all_results.json. What `folder` held
 * before is removed. Throws BENCH_PROCESS_FAILED when the program fails or leaves no figures.
 */
export async function trainOurs(program: string, folder: string, recipe: Omit<RecipeInput, "output_dir">): Promise<OurFigures> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const recipeFile = join(folder, "recipe.yaml"); // JSON is YAML
  const output = join(folder, "run");
  writeFileSync(recipeFile, `${JSON.stringify({ ...recipe, output_dir: output } satisfies RecipeInput, null, 2)}\n`);
  const run = await runMeasured(process.execPath, [program, "train", recipeFile, "--json"], { directory: folder });

  const results = JSON.parse(readFileSync(join(output, "all_results.json"), "utf8")) as Record<string, number | undefined>;
  const { train_samples_per_second: rate, train_runtime: seconds, train_samples: samples } = results;
  if (rate === undefined || seconds === undefined) {
    throw new LecternError("BENCH_PROCESS_FAILED", {
      message: `${join(output, "all_results.json")} has no figures of the training.`,
      expected: "train_samples_per_second and train_runtime",
      received: Object.keys(results).join(", "),
    });
  }
  const state = JSON.parse(readFileSync(join(output, "trainer_state.json"), "utf8")) as { num_input_tokens_seen: number };
  const resources = jsonObjects(run.lines).findLast((object) => "resources" in object)?.resources;
  return {
    samples: samples ?? Math.round(rate * seconds),
    tokens: state.num_input_tokens_seen,
    seconds,
    samples_per_second: rate,
    ...(run.peakMemory !== undefined && { peak_memory_mb: run.peakMemory / 1e6 }),
    ...(results.f1 !== undefined && { exact: results.exact, f1: results.f1, eval_loss: results.eval_loss }),
    ...(resources !== undefined && { resources }),
  };
}
