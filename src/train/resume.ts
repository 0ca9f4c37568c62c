/**
 * Where a run starts: anew in a folder that is free, or from a checkpoint. Nothing that another run wrote is taken over or removed unless
 * the recipe says so.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { LecternError } from "../errors.js";
import { holdFolder } from "../files/folder-lock.js";
import { type ResumePoint, latestCheckpoint, listCheckpoints, namedCheckpoint } from "./checkpoints.js";
import { type Recipe, recipeSchema } from "./recipe.js";

export interface Start {
  /** The checkpoint to go on from; absent when the run starts anew. */
  from?: ResumePoint;
  /** Checkpoints that the run would mix with, which overwrite_output_dir allows to remove. */
  inTheWay: string[];
}

/**
 * Looks where a run would start, before anything slow is opened; leaves the output folder free for the run itself.
 * @throws those of findStart, and FOLDER_HELD where another run is writing into the folder
 */
export async function checkStart(recipe: Recipe): Promise<void> {
  const held = existsSync(recipe.output_dir) ? holdFolder(recipe.output_dir, "a training") : undefined;
  try {
    await findStart(recipe);
  } finally {
    held?.release();
  }
}

/**
 * Where a run starts; its output folder is held.
 *
 * @throws LecternError CHECKPOINT_NOT_FOUND, CHECKPOINT_INCOMPLETE, OUTPUT_IN_USE
 */
export async function findStart(recipe: Recipe): Promise<Start> {
  const { output_dir: outputDir, resume_from_checkpoint: from } = recipe;
  if (from === false) return { inTheWay: await inTheWay(recipe, -1, `${outputDir} already holds a run`) };
  if (from === true) {
    const latest = await latestCheckpoint(outputDir);
    if (latest !== undefined) return { from: latest, inTheWay: [] };
    throw new LecternError("CHECKPOINT_NOT_FOUND", {
      message: `${outputDir} holds no whole checkpoint to resume from.`,
      expected: "a folder checkpoint-N in output_dir",
      received: (await listCheckpoints(outputDir)).length > 0 ? "only checkpoints that are not whole" : "none",
      next: "Leave resume_from_checkpoint out to start anew, or name a checkpoint of another folder.",
    });
  }
  const point = await namedCheckpoint(from);
  const continues = resolve(dirname(from)) === resolve(outputDir);
  return {
    from: point,
    inTheWay: continues
      ? await inTheWay(
          recipe,
          point.saved.global_step,
          `${from} is not the newest checkpoint, and going back to it would abandon later ones`,
        )
      : await inTheWay(recipe, -1, `${outputDir} already holds another run`),
  };
}

/** Checkpoints of the output folder after `step`, if they may be removed. */
async function inTheWay(
  { output_dir: outputDir, overwrite_output_dir: overwrite }: Recipe,
  step: number,
  reason: string,
): Promise<string[]> {
  const later = (await listCheckpoints(outputDir)).filter((checkpoint) => checkpoint.step > step).map(({ folder }) => folder);
  if (later.length > 0 && !overwrite) {
    throw new LecternError("OUTPUT_IN_USE", {
      message: `${reason} (${later.map((folder) => basename(folder)).join(", ")}).`,
      next: "Go on from the newest with resume_from_checkpoint=true, choose another output_dir, or remove them with overwrite_output_dir=true.",
    });
  }
  return later;
}

/**
 * Refuses a checkpoint that is further than the recipe's training goes.
 * @throws LecternError CHECKPOINT_MISMATCH
 */
export function checkStep({ folder, saved }: ResumePoint, totalSteps: number): void {
  if (saved.global_step <= totalSteps) return;
  throw new LecternError("CHECKPOINT_MISMATCH", {
    message: `The checkpoint ${folder} is further than this training goes.`,
    expected: `a checkpoint of at most ${totalSteps} steps, as many as the recipe asks for`,
    received: `one after step ${saved.global_step}`,
    next: "Raise num_train_epochs or max_steps, resume from an earlier checkpoint, or start anew.",
  });
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
  "logging_strategy",
  "logging_steps",
  "logging_first_step",
  "logging_dir",
  "save_strategy",
  "save_steps",
  "save_total_limit",
  "push_to_hub",
  "hub_model_id",
  "hub_private_repo",
  "hub_revision",
]);

/** What a person should hear about a resume: damaged checkpoints passed over, and settings that are no longer those it was saved with. */
export async function resumeNotes(recipe: Recipe, point: ResumePoint): Promise<string[]> {
  const notes = point.passedOver.map((problem) => `passed over a checkpoint that is not whole: ${problem}`);
  const before = (parse(await readFile(join(point.folder, "recipe.yaml"), "utf8")) ?? {}) as Record<string, unknown>;
  for (const key of Object.keys(recipeSchema.shape) as (keyof Recipe)[]) {
    if (indifferent.has(key) || JSON.stringify(before[key]) === JSON.stringify(recipe[key])) continue;
    notes.push(
      `${key} was ${shown(before[key])} when the checkpoint was saved and is ${shown(recipe[key])} now: the result is not that of either run alone`,
    );
  }
  return notes;
}

function shown(value: unknown): string {
  return value === undefined ? "not set" : typeof value === "string" ? value : JSON.stringify(value);
}
