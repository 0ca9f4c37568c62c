/**
 * One part of a trial: an ordinary run from where it was to the end of a rung, and its evaluation. The schedule is that of the full training; the rung
 * stops the run early with a checkpoint, and the next part resumes it.
 */
import type { TrainEvent } from "../events.js";
import type { OpenRun } from "../open-run.js";
import type { Recipe } from "../recipe.js";
import { relay } from "../relay.js";
import type { Evaluator } from "../run.js";
import { trainRun } from "../train-run.js";
import type { Budget } from "./budget.js";
import type { Measured } from "./sweep-state.js";

/** What the training of a trial tells. */
export interface TrainingEvent {
  type: "training";
  /** Of the trial. */
  number: number;
  event: TrainEvent;
}

export interface PartOptions {
  /** Of the trial, for its events. */
  number: number;
  recipe: Recipe;
  open: OpenRun;
  /** The step at which the rung ends, of so many. */
  target(totalSteps: number): number;
  budget: Budget;
  /** Seconds that an evaluation is thought to take. */
  evaluationSeconds: number;
  /** The person's. */
  signal: AbortSignal | undefined;
}

export interface Part {
  step: number;
  totalSteps: number;
  /** Absent where time was up, or the person stopped, before they were there. */
  metrics?: Record<string, number>;
  seconds: Measured["seconds"];
}

/** @throws whatever opening and training throw */
export async function* trainPart(options: PartOptions): AsyncGenerator<TrainingEvent, Part> {
  const { number, recipe, open, budget, signal } = options;
  const began = performance.now();
  const run = await open(recipe);
  const [stop, outOfTime] = [new AbortController(), new AbortController()];
  const clearTimers = [budget.abortWhenLeft(options.evaluationSeconds, stop), budget.abortWhenLeft(0, outOfTime)];
  const onStop = (): void => {
    stop.abort();
    outOfTime.abort();
  };
  if (signal?.aborted) onStop();
  signal?.addEventListener("abort", onStop);
  try {
    const opened = performance.now();
    let [step, totalSteps] = [0, 0];
    let metrics: Record<string, number> | undefined;
    for await (const event of trainRun(recipe, run, { signal: stop.signal })) {
      if (event.type === "start") ({ totalSteps } = event);
      if (event.type === "evaluation") ({ metrics } = event);
      ({ step } = event);
      if (step >= options.target(totalSteps) && step < totalSteps) stop.abort();
      yield { type: "training", number, event };
    }
    const trained = performance.now();
    metrics ??= yield* evaluate(run.evaluator!, { number, step, signal: outOfTime.signal });
    const evaluation = metrics?.eval_runtime ?? (performance.now() - trained) / 1000; // the one at the end of a training is part of the run
    const training = Math.max(0, (performance.now() - opened) / 1000 - evaluation);
    return { step, totalSteps, ...(metrics && { metrics }), seconds: { training, evaluation, other: (opened - began) / 1000 } };
  } finally {
    for (const clear of clearTimers) clear();
    signal?.removeEventListener("abort", onStop);
    await run.close();
  }
}

/** The figures of a trial that stopped at a rung; undefined where the signal came before they were there. */
async function* evaluate(
  evaluator: Evaluator,
  { number, step, signal }: { number: number; step: number; signal: AbortSignal },
): AsyncGenerator<TrainingEvent, Record<string, number> | undefined> {
  if (signal.aborted) return undefined;
  try {
    return yield* relay<TrainingEvent, Record<string, number>>((emit) =>
      evaluator.run((done, total) => emit({ type: "training", number, event: { type: "evaluating", step, done, total } }), signal),
    );
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}
