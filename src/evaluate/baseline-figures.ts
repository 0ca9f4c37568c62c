/**
 * What a model scored before it was trained, where its folder still tells: `baseline_…` in all_results.json, which `lectern train` writes, or
 * the evaluation of step 0 in the log_history of trainer_state.json, which checkpoints have.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type DataIdentity, dataIdentitySchema } from "../data/data-identity.js";

export interface BaselineFigures {
  /** The file that they were read from. */
  source: string;
  /** By the names of an evaluation: loss, exact, f1, … */
  metrics: Record<string, number>;
  /** The questions that they were measured on, where that is known. */
  data?: DataIdentity;
}

/** The file in which a training keeps which questions it was trained and evaluated on. */
export const dataFileName = "data.json";

/**
 * The figures before training; undefined where the folder has none. Files that are no JSON of this form count as none: what a model's folder
 * holds beside the model is not for an evaluation to judge.
 * @example
 * (await readBaselineFigures("runs/quickstart"))?.metrics.f1; // 5.7
 */
export async function readBaselineFigures(folder: string): Promise<BaselineFigures | undefined> {
  const results = path.join(folder, "all_results.json");
  const baseline = named(await readJson(results), /^baseline_(?:eval_)?/);
  const data = dataIdentitySchema.safeParse(asRecord(await readJson(path.join(folder, dataFileName)))["evaluation"]).data;
  const measuredOn = data === undefined ? {} : { data };
  if (baseline !== undefined) return { source: results, metrics: baseline, ...measuredOn };
  const state = path.join(folder, "trainer_state.json");
  const history = asRecord(await readJson(state))["log_history"];
  const entries: unknown[] = Array.isArray(history) ? history : [];
  const untrained = entries.map(asRecord).find(({ step }) => step === 0);
  const metrics = named(untrained, /^eval_/);
  return metrics === undefined ? undefined : { source: state, metrics, ...measuredOn };
}

/** The numbers whose names begin so, without that beginning. */
function named(value: unknown, beginning: RegExp): Record<string, number> | undefined {
  const found: Record<string, number> = {};
  for (const [name, figure] of Object.entries(asRecord(value))) {
    if (beginning.test(name) && typeof figure === "number") found[name.replace(beginning, "")] = figure;
  }
  return Object.keys(found).length > 0 ? found : undefined;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
