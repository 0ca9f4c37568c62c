/** A folder with the tiny reader in `tiny`, and recipes that train it on a few of the bundled questions. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseRecipe } from "../src/train/recipe-load.js";
import type { Recipe } from "../src/train/recipe.js";
import { starter, writeTinyReader } from "./tiny-reader.js";

export interface TinyRecipes {
  readonly folder: string;
  /** A recipe: 24 questions to train, 6 to evaluate, windows of 96 tokens; `overrides` as on the command line. */
  recipe(...overrides: string[]): Recipe;
  remove(): Promise<void>;
}

export async function openTinyRecipes(): Promise<TinyRecipes> {
  const folder = await mkdtemp(join(tmpdir(), "lectern-recipes-"));
  await writeTinyReader(join(folder, "tiny"));
  const text = `
model: ${join(folder, "tiny")}
train_files: ${join(starter, "squad/train.json")}
eval_files: ${join(starter, "squad/dev.json")}
max_train_samples: 24
max_eval_samples: 6
max_length: 96
stride: 32
per_device_train_batch_size: 8
learning_rate: 0.01
`;
  return {
    folder,
    recipe: (...overrides) => parseRecipe(text, { file: "test.yaml", overrides }),
    remove: () => rm(folder, { recursive: true }),
  };
}
