/** What is asked of a sweep: a YAML file with these keys, or a recipe with the same as options on the command line. */
import { dirname, join } from "node:path";
import { existsSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { LecternError } from "../../errors.js";
import { readPlainText } from "../../files/plain-file.js";
import { methods, parameterSchema } from "./search-space.js";

const sweepSchema = z.strictObject({
  /** A recipe, beside the file or relative to the folder the program runs in. */
  recipe: z.string().min(1),
  /** key=value, for every trial. */
  overrides: z.array(z.string()).default([]),
  parameters: z.record(z.string(), parameterSchema).default({}),
  method: z.enum(methods).default("sobol"),
  trials: z.int().min(1).max(10_000).default(8),
  /** A figure of the evaluation. */
  metric: z.string().min(1).default("f1"),
  /** Default: true unless the metric's name ends in loss. */
  greater_is_better: z.boolean().optional(),
  budget_minutes: z.number().positive().optional(),
  halving: z
    .strictObject({
      /** One of so many trials goes on to the next rung, which trains so many times as long. */
      eta: z.int().min(2).max(10).default(3),
      rungs: z.int().min(1).max(8).default(3),
    })
    .prefault({}),
  seed: z.int().min(0).default(42),
  out: z.string().min(1).optional(),
});

export type Sweep = z.output<typeof sweepSchema>;
export type SweepInput = z.input<typeof sweepSchema>;

/**
 * The sweep that a file describes, or that begins from a recipe; `options` win over the file's.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, SWEEP_FILE
 */
export function loadSweep(file: string, options: Partial<SweepInput> = {}): Sweep {
  const text = readPlainText(file, { what: "a sweep or a recipe in YAML", limit: 2 ** 20 });
  let written: unknown;
  try {
    written = parse(text, { logLevel: "error" });
  } catch (cause) {
    throw new LecternError(
      "SWEEP_FILE",
      { message: `${file} is not YAML: ${(cause as Error).message}`, next: "See docs/sweeping.md." },
      { cause },
    );
  }
  const isSweep = typeof written === "object" && written !== null && "recipe" in written;
  const base = isSweep ? (written as Record<string, unknown>) : { recipe: file };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const joined = {
    ...base,
    ...given,
    overrides: [...((base.overrides as string[] | undefined) ?? []), ...(options.overrides ?? [])],
    parameters: { ...(base.parameters as object | undefined), ...options.parameters },
    halving: { ...(base.halving as object | undefined), ...options.halving },
  };
  const parsed = sweepSchema.safeParse(joined);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new LecternError("SWEEP_FILE", {
      message: `${file}: ${path.join(".")}: ${message}`,
      next: "docs/sweeping.md lists what a sweep says.",
    });
  }
  const beside = join(dirname(file), parsed.data.recipe);
  return { ...parsed.data, recipe: !existsSync(parsed.data.recipe) && existsSync(beside) ? beside : parsed.data.recipe };
}
