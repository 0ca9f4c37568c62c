// Checks what a quickstart left in its folder: node .ci/check-results.mjs FOLDER
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder] = process.argv.slice(2);
const results = JSON.parse(readFileSync(join(folder, "all_results.json"), "utf8"));
const figures = [
  "baseline_eval_loss",
  "baseline_exact",
  "baseline_f1",
  "eval_loss",
  "exact",
  "f1",
  "train_samples_per_second",
  "train_runtime",
];
const files = ["config.json", "model.safetensors", "tokenizer.json", "trainer_state.json", "recipe.yaml", "README.md"];
const problems = [
  ...figures.filter((name) => !Number.isFinite(results[name])).map((name) => `all_results.json has no ${name}`),
  ...files.filter((name) => !existsSync(join(folder, name))).map((name) => `${name} is missing`),
  ...(readdirSync(folder).some((name) => name.startsWith("events.out.tfevents.")) ? [] : ["there is no TensorBoard file"]),
];
for (const name of figures) console.log(`${name.padEnd(26)}${results[name]}`);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
