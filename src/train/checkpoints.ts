/**
 * checkpoint-N folders: written whole or not at all, the oldest removed beyond save_total_limit (never the best, never the newest), found
 * again after a crash. A checkpoint holds the model, the optimizer's state, the recipe, trainer_state.json, and the checksums of all these, so
 * that one which a copy, a disk or a hand has damaged is told from a whole one.
 */
import { existsSync } from "node:fs";
import { readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { recoverFolder, writeFilesAtomic, writeFolderAtomic } from "../checkpoint/atomic.js";
import { checksum } from "../files/checksum.js";
import { systemCode } from "../files/system-errors.js";
import { LecternError } from "../errors.js";
import { changedChecksums, checksumProblem, checksumsFile, writeChecksums } from "./checkpoint-checksums.js";
import type { Saveable } from "./run.js";
import { type SavedState, type StateSettings, type TrainerState, checkpointStep, readTrainerState } from "./trainer-state.js";

export interface CheckpointOptions {
  outputDir: string;
  /** Keep at most so many; undefined keeps all. */
  limit: number | undefined;
  settings: StateSettings;
  /** The resolved recipe, saved with every checkpoint. */
  recipe: string;
}

/** What `loadBest` did. */
export interface LoadedBest {
  /** The checkpoint whose model is in memory now, where that is another than before. */
  folder?: string;
  /** Better checkpoints that are gone or damaged, and how. */
  passedOver: string[];
}

/** The checkpoints of one run. */
export class Checkpoints {
  /** Folders this process wrote or resumed from: their model is this run's, so an evaluation made later only rewrites the state. */
  private readonly own = new Set<string>();

  constructor(
    private readonly saveable: Saveable,
    private readonly options: CheckpointOptions,
  ) {}

  /** Where the run as it is now is, or would be, saved. */
  folder(state: TrainerState): string {
    return join(this.options.outputDir, `checkpoint-${state.globalStep}`);
  }

  /**
   * Saves the run as it is now and removes what is too old.
   *
   * @throws LecternError DISK_FULL, FILE_NOT_WRITABLE; the checkpoints before it are then unchanged
   */
  async save(state: TrainerState): Promise<{ folder: string; removed: string[] }> {
    const { settings } = this.options;
    const folder = this.folder(state);
    state.considerCheckpoint(folder);
    if (this.own.has(folder) && existsSync(join(folder, checksumsFile))) {
      await writeFilesAtomic(folder, async (temporary) => {
        await writeFile(join(temporary, stateFile), state.toJson(settings));
        const sum = await checksum(join(temporary, stateFile));
        await writeFile(join(temporary, checksumsFile), changedChecksums(folder, stateFile, sum));
      });
    } else {
      await writeFolderAtomic(folder, async (temporary) => {
        await this.saveable.saveModel(temporary);
        await this.saveable.saveState(temporary);
        await writeFile(join(temporary, "recipe.yaml"), this.options.recipe);
        await writeFile(join(temporary, stateFile), state.toJson(settings));
        await writeChecksums(temporary, stateFile);
      });
      this.own.add(folder);
    }
    state.unsaved = false;
    return { folder, removed: await this.rotate(folder, state.bestCheckpoint) };
  }

  /** Brings model, optimizer and place in the data back. The best checkpoint is looked for beside the one resumed from. */
  async restore(state: TrainerState, { folder, saved }: ResumePoint): Promise<void> {
    await this.saveable.loadModel(folder);
    await this.saveable.loadState(folder);
    state.restore(saved);
    const { outputDir } = this.options;
    const continues = resolve(dirname(folder)) === resolve(outputDir);
    if (continues) this.own.add(this.folder(state));
    if (state.bestCheckpoint !== null) {
      const beside = join(continues ? outputDir : dirname(folder), basename(state.bestCheckpoint));
      state.bestCheckpoint = (await problemOf(beside)) === undefined ? beside : null;
    }
  }

  /**
   * Leaves the model of the best checkpoint in memory. One that was removed or damaged while the run went on is passed over, and the best of those
   * that are left taken: a training must not end without a model.
   */
  async loadBest(state: TrainerState): Promise<LoadedBest> {
    const problems = new Map<string, string>();
    const passedOver = (): string[] => [...problems].map(([folder, problem]) => `${folder}: ${problem}`);
    for (;;) {
      const { bestCheckpoint: best } = state;
      if (best === null || checkpointStep(best) === state.globalStep) return { passedOver: passedOver() };
      const problem = await problemOf(best);
      if (problem === undefined) {
        await this.saveable.loadModel(best);
        return { folder: best, passedOver: passedOver() };
      }
      problems.set(best, problem);
      state.bestCheckpoint = null;
      for (const { folder } of await listCheckpoints(this.options.outputDir)) {
        if (!problems.has(folder)) state.considerCheckpoint(folder);
      }
    }
  }

  private async rotate(newest: string, best: string | null): Promise<string[]> {
    const { outputDir, limit } = this.options;
    if (limit === undefined) return [];
    const all = (await listCheckpoints(outputDir)).map(({ folder }) => folder);
    const removable = all.filter((folder) => folder !== newest && folder !== best);
    const surplus = all.length - Math.max(limit, all.length - removable.length);
    const removed = removable.slice(0, Math.max(0, surplus));
    for (const folder of removed) await removeCheckpoint(folder);
    return removed;
  }
}

const stateFile = "trainer_state.json";

/** Checkpoint folders of an output folder, oldest first. Finishes what a killed writer left half done. */
export async function listCheckpoints(outputDir: string): Promise<{ step: number; folder: string }[]> {
  for (const name of await names(outputDir)) {
    const interrupted = /^\.(checkpoint-\d+)\.(previous|removed)$/.exec(name);
    if (interrupted?.[2] === "previous") await recoverFolder(join(outputDir, interrupted[1]));
    if (interrupted?.[2] === "removed") await rm(join(outputDir, name), { recursive: true, force: true });
  }
  return (await names(outputDir))
    .filter((name) => /^checkpoint-\d+$/.test(name))
    .map((name) => ({ step: checkpointStep(name)!, folder: join(outputDir, name) }))
    .sort((a, b) => a.step - b.step);
}

/** Removes a checkpoint so that a kill half-way leaves no folder that looks like one. */
export async function removeCheckpoint(folder: string): Promise<void> {
  const aside = join(dirname(folder), `.${basename(folder)}.removed`);
  await rm(aside, { recursive: true, force: true });
  await rename(folder, aside);
  await rm(aside, { recursive: true, force: true });
}

/** A checkpoint to go on from. */
export interface ResumePoint {
  folder: string;
  saved: SavedState;
  /** Newer checkpoints that were passed over because they are not whole, and why. */
  passedOver: string[];
}

/**
 * A named checkpoint to go on from.
 * @throws LecternError CHECKPOINT_NOT_FOUND, CHECKPOINT_INCOMPLETE
 */
export async function namedCheckpoint(folder: string): Promise<ResumePoint> {
  await recoverFolder(folder);
  if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true) {
    throw new LecternError("CHECKPOINT_NOT_FOUND", {
      message: `There is no checkpoint ${folder}.`,
      expected: "a folder checkpoint-N of an earlier run",
      next: "Check the path, or use resume_from_checkpoint=true for the newest one in output_dir.",
    });
  }
  const problem = await problemOf(folder);
  if (problem !== undefined) {
    throw new LecternError("CHECKPOINT_INCOMPLETE", {
      message: `The checkpoint ${folder} is not whole: ${problem}`,
      next: "Use resume_from_checkpoint=true, which takes the newest whole one in output_dir, or name another.",
    });
  }
  return { folder, saved: await readTrainerState(folder), passedOver: [] };
}

/** The newest checkpoint of an output folder that is whole; undefined when there is none. */
export async function latestCheckpoint(outputDir: string): Promise<ResumePoint | undefined> {
  const passedOver: string[] = [];
  for (const { folder } of (await listCheckpoints(outputDir)).reverse()) {
    const problem = await problemOf(folder);
    if (problem === undefined) return { folder, saved: await readTrainerState(folder), passedOver };
    passedOver.push(`${folder}: ${problem}`);
  }
  return undefined;
}

/** What keeps a checkpoint from being whole, in a sentence. */
async function problemOf(folder: string): Promise<string | undefined> {
  const damage = await checksumProblem(folder, stateFile);
  if (damage !== undefined) return damage;
  try {
    await readTrainerState(folder);
    return undefined;
  } catch (error) {
    if (error instanceof LecternError) return error.detail.message;
    throw error;
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  });
}
