/** Training in one call, for programs: what `lectern train` does, without a terminal. */
import { stringify } from "yaml";
import { InternalError } from "../errors.js";
import type { TrainEvent } from "./events.js";
import { type GivenData, givenSettings } from "./given-data.js";
import { openRun } from "./open-run.js";
import { loadRecipe, parseRecipe } from "./recipe-load.js";
import type { RecipeInput } from "./recipe.js";
import { checkStart } from "./resume.js";
import { trainRun } from "./train-run.js";

export interface TrainOptions extends GivenData {
  /** Folder or Hub name of the model to start from, in place of the recipe's. */
  model?: string;
  /** Settings that win over the recipe's, as on the command line: `["learning_rate=1e-4"]`. */
  overrides?: readonly string[];
  /**
   * Told what the recipe has under another name or without effect, and what the data and the model are: what `lectern train` says before the
   * first step.
   */
  onNote?: (line: string) => void;
  /** Told of every step, log entry, evaluation and checkpoint. */
  onEvent?: (event: TrainEvent) => void;
  /** When aborted, the running step is finished, a checkpoint saved, and the promise rejected with `signal.reason`. */
  signal?: AbortSignal;
}

export interface TrainedModel {
  /** Folder of the final model: the recipe's output_dir, which holds everything else of the run too (docs/training.md). */
  model: string;
  /** What all_results.json holds: baseline_f1, f1, exact, eval_loss, train_samples_per_second (per second of training), … */
  results: Record<string, number>;
}

/**
 * Trains a model as a recipe says: baseline evaluation, training, final evaluation, and all files of the run in its output_dir. Model and data
 * may be given as options: rows in memory (docs/programs.md) take the place of the recipe's files.
 *
 * @param recipe a recipe file, or the same keys as an object
 * @throws LecternError for every mistake in the recipe, the model and the data; LOSS_NOT_FINITE; DISK_FULL and the like
 * @example
 * const { model, results } = await train("recipes/quickstart.yaml", { overrides: ["output_dir=runs/mine"] });
 * console.log(model, results.f1);
 * @example
 * const rows = [{ question: "Who wrote it?", context: "Ada Lovelace wrote it.", answers: { text: ["Ada Lovelace"], answer_start: [0] } }];
 * await train({ num_train_epochs: 2, output_dir: "runs/rows" }, { model: "distilbert-base-uncased", trainData: rows });
 */
export async function train(recipe: string | Partial<RecipeInput>, options: TrainOptions = {}): Promise<TrainedModel> {
  const { overrides, onNote, onEvent, signal } = options;
  const reading = { overrides, onNote, given: givenSettings(options) };
  const resolved =
    typeof recipe === "string" ? await loadRecipe(recipe, overrides, reading) : parseRecipe(stringify(recipe), { file: "recipe", ...reading });
  await checkStart(resolved); // an output folder in use is told before the data are read
  const run = await openRun(resolved, options);
  try {
    for (const line of run.describe()) onNote?.(line);
    for await (const event of trainRun(resolved, run, { signal })) {
      onEvent?.(event);
      if (event.type === "done") return { model: resolved.output_dir, results: event.results };
    }
    signal?.throwIfAborted();
    throw new InternalError("a training ended without results");
  } finally {
    await run.close();
  }
}
