/**
 * `lectern quickstart`: the main job from nothing but this package: evaluate the bundled model, fine-tune it on the bundled data,
 * evaluate again, and answer a few questions on texts that it was not trained on.
 */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { loadExamples } from "../data/examples.js";
import { permutation } from "../engine/random.js";
import { QuestionAnswerer } from "../tasks/extractive/question-answerer.js";
import { loadRecipe } from "../train/recipe-load.js";
import { openExtractiveRun } from "../train/extractive-run.js";
import { withExamples } from "./help.js";
import { highlightAnswer } from "./highlight.js";
import { Output, resultColors } from "./output.js";
import { readRecipeWords } from "./recipe-words.js";
import { runTraining, shellWord } from "./train.js";

/** Where the package lies: recipes/ and starter/ beside dist/. */
const packageRoot = fileURLToPath(new URL("../../", import.meta.url));
const recipeFile = "recipes/quickstart.yaml";
const questionsShown = 4;

interface QuickstartOptions {
  json?: boolean;
}

export function registerQuickstart(program: Command): void {
  const command = program
    .command("quickstart")
    .description("fine-tune the bundled model on the bundled data, with the figures before and after; some minutes on two cores")
    .argument("[overrides...]", "settings that win over the recipe's, as key=value or --key value")
    .allowUnknownOption()
    .option("--json", "print events as lines of JSON", false)
    .action(async (words: string[], options: QuickstartOptions) => {
      const { operands, overrides } = readRecipeWords(words, "quickstart");
      await quickstart([...operands, ...overrides], options);
    });
  withExamples(command, [
    { line: "lectern quickstart", does: "as the README tells" },
    { line: "lectern quickstart max_steps=20 max_eval_samples=50", does: "the same in half a minute, learning little" },
  ]);
}

async function quickstart(overrides: readonly string[], { json }: QuickstartOptions): Promise<void> {
  const output = new Output(json ?? false);
  const inPackage = (path: string) => relative(process.cwd(), join(packageRoot, path)) || ".";
  const bundled = ["model=starter/minilm-l6", "train_files=starter/squad/train.json", "eval_files=starter/squad/dev.json"].map((setting) => {
    const [key, path] = setting.split("=");
    return `${key}=${inPackage(path)}`;
  });
  const recipe = await loadRecipe(join(packageRoot, recipeFile), [...bundled, ...overrides], { onNote: (line) => output.note(line) });
  const run = await openExtractiveRun(recipe);
  let results: Record<string, number> | undefined;
  try {
    for (const line of run.describe()) output.note(line);
    results = await runTraining(recipe, run, output, ["npx lectern quickstart", ...overrides, "resume_from_checkpoint=true"].join(" "));
  } finally {
    await run.close();
  }
  if (results === undefined || output.json) return;
  const reader = await QuestionAnswerer.from(recipe.output_dir);
  const { examples } = await loadExamples(recipe.eval_files, { split: "evaluation" });
  const short = examples.filter(({ context }) => context.length < 700);
  const chosen = Array.from(permutation(short.length, recipe.seed).slice(0, questionsShown), (index) => short[index]);
  const answers = await reader.answer(chosen);
  process.stdout.write(`\n${resultColors.bold("Questions on articles it has not seen, with the evidence marked")}\n`);
  chosen.forEach(({ question, context, answers: golds }, index) => {
    process.stdout.write(`\n${highlightAnswer({ question, context, answer: answers[index], golds: golds.map(({ text }) => text) })}\n`);
  });
  reader.release();
  const model = shellWord(recipe.output_dir);
  process.stdout.write(
    [
      "",
      resultColors.bold("What next"),
      `  npx lectern evaluate --model ${model} --data ${shellWord(inPackage("starter/squad/dev.json"))} --out ${shellWord(join(recipe.output_dir, "answers"))}`,
      `  npx lectern inspect YOUR_DATA.json --model ${model}`,
      `  npx lectern train ${shellWord(inPackage(recipeFile))} ${shellWord(bundled[0])} train_files=YOUR_DATA.json eval_files=YOUR_DEV.json output_dir=runs/mine`,
      "",
    ].join("\n"),
  );
}
