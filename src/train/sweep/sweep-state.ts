/** sweep.json: what a sweep has done so far, written after each part of a trial, so that the same command carries on after a kill. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../../checkpoint/atomic.js";
import { LecternError } from "../../errors.js";
import { readPlainText } from "../../files/plain-file.js";
import type { Sweep } from "./sweep-file.js";

const measured = z.object({
  /** From 0; the share of the full training that it stands for is that of the sweep's rungs. */
  rung: z.number(),
  step: z.number(),
  total_steps: z.number(),
  /** The chosen metric. */
  value: z.number(),
  metrics: z.record(z.string(), z.number()),
  /** Of this rung's training, its evaluation, and the opening of model and data. */
  seconds: z.object({ training: z.number(), evaluation: z.number(), other: z.number() }),
});
const trial = z.object({
  number: z.number(),
  parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])),
  status: z.enum(["waiting", "stopped", "diverged", "failed", "out_of_budget", "finished"]),
  /** Why it diverged or failed. */
  problem: z.string().optional(),
  /** How often the part that comes next was begun: a trial that ends its process each time is given up. */
  attempts: z.number(),
  measured: z.array(measured),
});
const state = z.object({ settings: z.string(), seconds: z.number(), trials: z.array(trial), best: z.number().nullable() });

export type Measured = z.infer<typeof measured>;
export type Trial = z.infer<typeof trial>;
export type SweepState = z.infer<typeof state>;

const name = "sweep.json";

/** What trials depend on, the recipe by its text; more trials or a larger budget go on with the same ones. */
function settingsOf({ recipe: file, overrides, parameters, method, metric, greater_is_better, halving, seed }: Sweep): string {
  const text = readPlainText(file, { what: "a recipe in YAML", limit: 2 ** 20 });
  const recipe = `sha256:${createHash("sha256").update(text).digest("hex")}`;
  return JSON.stringify({ recipe, overrides, parameters, method, metric, greater_is_better, halving, seed });
}

/**
 * What the folder holds of this sweep, or a new beginning.
 * @throws LecternError FILE_MISSING for the recipe; OUTPUT_IN_USE where it holds another sweep, or something else by that name
 */
export function readSweepState(folder: string, sweep: Sweep): SweepState {
  const file = join(folder, name);
  const settings = settingsOf(sweep);
  if (!existsSync(file)) return { settings, seconds: 0, trials: [], best: null };
  let read: unknown;
  try {
    read = JSON.parse(readPlainText(file, { what: "the state of a sweep", limit: 2 ** 28 }));
  } catch (error) {
    if (error instanceof LecternError) throw error;
  }
  const parsed = state.safeParse(read);
  if (parsed.success && parsed.data.settings === settings) return parsed.data;
  throw new LecternError("OUTPUT_IN_USE", {
    message: parsed.success ? `${folder} holds a sweep of another recipe, or with other settings.` : `${file} is not the state of a sweep.`,
    expected: settings,
    received: parsed.success ? parsed.data.settings : undefined,
    next: "Choose another folder with --out, or remove that one.",
  });
}

/** Leaves nothing of a sweep that measured nothing. */
export async function removeSweepState(folder: string): Promise<void> {
  await rm(join(folder, name), { force: true });
}

export async function writeSweepState(folder: string, value: SweepState): Promise<void> {
  await writeFileAtomic(join(folder, name), `${JSON.stringify(value, null, 1)}\n`);
}
