/** `lectern train RECIPE [key=value …]`: trains as a recipe says, shows how it goes, and says what to do next. */
import type { Command } from "commander";
import { checkWritable } from "../files/make-folder.js";
import type { TrainEvent } from "../train/events.js";
import { type OpenRun, openRun } from "../train/open-run.js";
import { loadRecipe } from "../train/recipe-load.js";
import { recipeKeys } from "../train/recipe-keys.js";
import type { Recipe } from "../train/recipe.js";
import { checkStart } from "../train/resume.js";
import type { Run } from "../train/run.js";
import { trainRun } from "../train/train-run.js";
import { exitCodes } from "./failure.js";
import { collect, withExamples } from "./help.js";
import { Output } from "./output.js";
import { recipeAndSettings } from "./recipe-words.js";
import { resultTable } from "./result-table.js";

interface TrainOptions {
  set: string[];
  json?: boolean;
}

/** @param open what a recipe becomes; the tests put a model of a few numbers in its place. */
export function registerTrain(program: Command, open: OpenRun = openRun): void {
  const command = program
    .command("train")
    .description("train a model as a recipe says")
    .argument("<recipe>", "YAML file; recipes/ holds ready ones")
    .argument("[overrides...]", "settings that win over the recipe's, as key=value or --key value")
    .option("--set <key=value>", "the same as an option; may be repeated", collect, [])
    .allowUnknownOption() // --key value is a setting, too
    .option("--json", "print every log, evaluation and checkpoint as a line of JSON", false)
    .action(async (first: string, others: string[], options: TrainOptions) => {
      const { file, overrides: words } = recipeAndSettings([first, ...others], command);
      const overrides = [...words, ...options.set];
      const output = new Output(options.json ?? false);
      const recipe = await loadRecipe(file, overrides, { onNote: (line) => output.note(line) });
      await checkStart(recipe); // an output folder in use, or one that cannot be written, is told before the data are read
      await checkWritable(recipe.output_dir);
      const run = await open(recipe);
      try {
        for (const line of run.describe()) output.note(line);
        await runTraining(recipe, run, output, resumeCommand(file, overrides));
      } finally {
        await run.close();
      }
    });
  withExamples(command, [
    { line: "lectern train recipes/quickstart.yaml", does: "train the bundled model on the bundled data" },
    { line: "lectern train recipes/minilm-squad.yaml learning_rate=1e-4 num_train_epochs=1", does: "change two settings" },
    { line: "lectern train recipes/minilm-squad.yaml resume_from_checkpoint=true", does: "go on where it stopped" },
  ]).addHelpText("after", `\nSettings, with their defaults:\n${recipeKeys.map(settingHelp).join("\n")}`);
}

function settingHelp({ name, default: value, description }: (typeof recipeKeys)[number]): string {
  return `  ${`${name}${value === undefined ? "" : `=${JSON.stringify(value)}`}`.padEnd(38)}  ${description}`;
}

/**
 * Trains and shows it. On the first Ctrl-C the running step is finished and a checkpoint saved; a second one ends the process at once.
 *
 * @param goOnWith the command that would resume this run, for the person who stopped it.
 * @returns the figures of all_results.json, or undefined when it was interrupted; process.exitCode is then 130.
 */
export async function runTraining(
  recipe: Recipe,
  run: Run<unknown>,
  output: Output,
  goOnWith: string,
): Promise<Record<string, number> | undefined> {
  const progress = output.progress();
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted);
    progress.line("stopping: this step is finished and a checkpoint saved (once more to stop at once)");
    stop.abort();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    for await (const event of trainRun(recipe, run, { signal: stop.signal })) {
      progress.show(event);
      if (output.json && told.has(event.type)) output.result(event, () => "");
      if (event.type === "interrupted") {
        process.exitCode = exitCodes.interrupted;
        for (const line of afterInterruption(event, goOnWith)) progress.line(line);
      }
      if (event.type === "done") {
        if (!output.json) output.result(event.results, () => afterTraining(recipe, event.results));
        return event.results;
      }
    }
    return undefined;
  } finally {
    progress.close();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

/** Events that --json prints; those of every step and every evaluation batch are for the live display. */
const told = new Set<TrainEvent["type"]>(["start", "log", "evaluation", "checkpoint", "pushed", "interrupted", "done"]);

function afterInterruption({ folder }: Extract<TrainEvent, { type: "interrupted" }>, goOnWith: string): string[] {
  if (folder === undefined) return ["Nothing was trained yet, so nothing was saved."];
  return [`Everything so far is in ${folder}. Go on with:`, `  ${goOnWith}`];
}

function afterTraining(recipe: Recipe, results: Record<string, number>): string {
  const curves = recipe.report_to.includes("tensorboard") ? `\nThe curves: tensorboard --logdir ${shellWord(recipe.logging_dir ?? recipe.output_dir)}` : "";
  return `\n${resultTable(results)}\n\nThe model, its card and all figures are in ${recipe.output_dir}.${curves}`;
}

function resumeCommand(file: string, overrides: readonly string[]): string {
  const kept = overrides.filter((override) => !override.startsWith("resume_from_checkpoint="));
  return ["npx lectern train", ...[file, ...kept, "resume_from_checkpoint=true"].map(shellWord)].join(" ");
}

/** A word as a shell takes it. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
