/**
 * Where a run starts: anew in a folder that is free, or from a checkpoint. Nothing that another run wrote is taken over or removed unless
 * the recipe says so.
 */
import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { LecternError } from "../errors.js";
import { type ResumePoint, latestCheckpoint, listCheckpoints, namedCheckpoint, removeCheckpoint } from "./checkpoints.js";
import { type Recipe, recipeSchema } from "./recipe.js";
import { checkpointStep } from "./trainer-state.js";

/**
 * The checkpoint to go on from, or undefined to start anew; with overwrite_output_dir, checkpoints that stand in the way are removed.
 *
 * @throws LecternError CHECKPOINT_NOT_FOUND, CHECKPOINT_INCOMPLETE, OUTPUT_IN_USE
 */
export async function findStart(recipe: Recipe): Promise<ResumePoint | undefined> {
  const { output_dir: outputDir, resume_from_checkpoint: from } = recipe;
  if (from === true) {
    const latest = await latestCheckpoint(outputDir);
    if (latest !== undefined) return latest;
    throw new LecternError("CHECKPOINT_NOT_FOUND", {
      message: `${outputDir} holds no whole checkpoint to resume from.`,
      expected: "a folder checkpoint-N in output_dir",
      received: (await listCheckpoints(outputDir)).length > 0 ? "only checkpoints that are not whole" : "none",
      next: "Leave resume_from_checkpoint out to start anew, or name a checkpoint of another folder.",
    });
  }
  if (from === false) {
    await makeWay(recipe, -1, `${outputDir} already holds a run`);
    return undefined;
  }
  const point = await namedCheckpoint(from);
  if (resolve(dirname(from)) === resolve(outputDir)) {
    await makeWay(recipe, checkpointStep(basename(from)) ?? 0, `${from} is not the newest checkpoint: going back to it would abandon the later ones`);
  } else {
    await makeWay(recipe, -1, `${outputDir} already holds another run`);
  }
  return point;
}

/** Only checkpoints up to `step` may be in the output folder. */
async function makeWay({ output_dir: outputDir, overwrite_output_dir: overwrite }: Recipe, step: number, reason: string): Promise<void> {
  const inTheWay = (await listCheckpoints(outputDir)).filter((checkpoint) => checkpoint.step > step);
  if (inTheWay.length > 0 && !overwrite) {
    throw new LecternError("OUTPUT_IN_USE", {
      message: `${reason} (${inTheWay.map(({ folder }) => basename(folder)).join(", ")}).`,
      next: "Go on from the newest with resume_from_checkpoint=true, choose another output_dir, or remove them with overwrite_output_dir=true.",
    });
  }
  for (const { folder } of inTheWay) await removeCheckpoint(folder);
}

/** Keys that change where results go or how fast they come, and not what they are. */
const indifferent = new Set<string>([
  "resume_from_checkpoint",
  "overwrite_output_dir",
  "output_dir",
  "threads",
  "micro_batch_size",
  "residuals",
  "per_device_eval_batch_size",
  "report_to",
  "logging_steps",
  "save_strategy",
  "save_steps",
  "save_total_limit",
]);

/** What a person should hear about a resume: damaged checkpoints passed over, and settings that are no longer those it was saved with. */
export async function resumeNotes(recipe: Recipe, point: ResumePoint): Promise<string[]> {
  const notes = point.passedOver.map((problem) => `passed over a checkpoint that is not whole: ${problem}`);
  const before = (parse(await readFile(join(point.folder, "recipe.yaml"), "utf8")) ?? {}) as Record<string, unknown>;
  for (const key of Object.keys(recipeSchema.shape) as (keyof Recipe)[]) {
    if (indifferent.has(key) || JSON.stringify(before[key]) === JSON.stringify(recipe[key])) continue;
    notes.push(`${key} was ${shown(before[key])} when the checkpoint was saved and is ${shown(recipe[key])} now: the result is not that of either run alone`);
  }
  return notes;
}

function shown(value: unknown): string {
  return value === undefined ? "not set" : typeof value === "string" ? value : JSON.stringify(value);
}
