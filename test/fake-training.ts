/** Trainings of the pretended run in folders of their own, for tests of what a run does with its files. */
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { TrainEvent } from "../src/train/events.js";
import { parseRecipe } from "../src/train/recipe-load.js";
import { trainRun } from "../src/train/train-run.js";
import { fakeRecipe, type FakeRunOptions, openFakeRun } from "./fake-run.js";

const folder = mkdtempSync(join(tmpdir(), "lectern-train-"));
afterAll(() => rmSync(folder, { recursive: true }));

let runs = 0;
export const newOutput = (): string => join(folder, `run-${runs++}`);

export function recipeFor(output: string, overrides: string[] = []) {
  const text = `${fakeRecipe}report_to: []
output_dir: ${output}
`;
  return parseRecipe(text, { file: "test.yaml", overrides });
}

export interface Outcome {
  events: TrainEvent[];
  weights: number[];
  done?: Extract<TrainEvent, { type: "done" }>;
}

/** Trains, and aborts when `stopAt` says so. */
export async function runOnce(
  output: string,
  overrides: string[] = [],
  options: FakeRunOptions = {},
  stopAt?: (event: TrainEvent) => boolean,
): Promise<Outcome> {
  const recipe = recipeFor(output, overrides);
  const run = openFakeRun(recipe, options);
  const stop = new AbortController();
  const events: TrainEvent[] = [];
  for await (const event of trainRun(recipe, run, { signal: stop.signal })) {
    events.push(event);
    if (stopAt?.(event)) stop.abort();
  }
  return { events, weights: run.weights(), done: events.find((event) => event.type === "done") };
}

export const told = (events: TrainEvent[]): string[] =>
  events.filter(({ type }) => type !== "step" && type !== "evaluating").map((event) => `${event.type} ${event.step}`);
export const losses = (events: TrainEvent[]): number[] => events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
export const json = async (...path: string[]): Promise<Record<string, never>> =>
  JSON.parse(await readFile(join(...path), "utf8")) as Record<string, never>;
export const checkpointsOf = async (output: string): Promise<string[]> =>
  (await readdir(output)).filter((name) => name.includes("checkpoint")).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
