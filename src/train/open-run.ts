/** From a recipe to its run, by the recipe's task. A new task is one line here. */
import type { GivenData } from "./given-data.js";
import type { Recipe } from "./recipe.js";
import type { Run } from "./run.js";

/** Opens model and data for a recipe; `given` has the rows that it names. */
export type OpenRun = (recipe: Recipe, given?: GivenData) => Promise<Run<unknown>>;

/** Loaded when asked for, since a task brings the native runtime with it. */
const openers: Record<Recipe["task"], OpenRun> = {
  extractive: async (recipe, given) => (await import("./extractive-run.js")).openExtractiveRun(recipe, given),
};

/** @throws LecternError what the task throws for models, data and settings that it cannot use */
export const openRun: OpenRun = (recipe, given) => openers[recipe.task](recipe, given);
