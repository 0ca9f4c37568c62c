/**
 * A whole training run from a resolved recipe: finds where to start, trains, and leaves in output_dir what others expect there: the final
 * model, checkpoints, TensorBoard events, trainer_state.json, train_results.json, eval_results.json, all_results.json, the resolved
 * recipe and a model card. Where the recipe says so, that goes to the Hub.
 */
import { join } from "node:path";
import { writeFileAtomic } from "../checkpoint/atomic.js";
import { holdFolder } from "../files/folder-lock.js";
import { makeFolder } from "../files/make-folder.js";
import { Checkpoints, type ResumePoint, removeCheckpoint } from "./checkpoints.js";
import { createDue, totalSteps } from "./due.js";
import type { TrainEvent } from "./events.js";
import { modelCard } from "./model-card.js";
import { preparePush, pushResult } from "./push-result.js";
import { recipeToYaml } from "./recipe-load.js";
import type { Recipe } from "./recipe.js";
import { checkStep, findStart, resumeNotes } from "./resume.js";
import { finalEvaluation, trainResults } from "./results.js";
import type { Run } from "./run.js";
import { createSchedule, warmupSteps } from "./schedule.js";
import { TensorBoardLog } from "./tensorboard-log.js";
import { train } from "./train.js";
import { type StateSettings, TrainerState } from "./trainer-state.js";

/**
 * Trains `run` as `recipe` says and writes the results. The caller closes the run.
 *
 * @param options.signal aborts cleanly: the last event is then `interrupted` and the run can be resumed.
 * @throws LecternError as train() and findStart() do
 * @example
 * for await (const event of trainRun(recipe, run)) if (event.type === "done") console.log(event.results.f1);
 */
export async function* trainRun<B>(recipe: Recipe, run: Run<B>, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<TrainEvent> {
  await makeFolder(recipe.output_dir);
  if (recipe.logging_dir !== undefined) await makeFolder(recipe.logging_dir);
  const held = holdFolder(recipe.output_dir, "a training");
  try {
    yield* runInHeldFolder(recipe, run, signal);
  } finally {
    held.release();
  }
}

async function* runInHeldFolder<B>(recipe: Recipe, run: Run<B>, signal: AbortSignal | undefined): AsyncGenerator<TrainEvent> {
  const { output_dir: outputDir } = recipe;
  const { stepsPerEpoch } = run.batches;
  const total = totalSteps(recipe, stepsPerEpoch);
  const due = (strategy: "no" | "steps" | "epoch", every: number) => createDue({ strategy, every, stepsPerEpoch, totalSteps: total });
  const evaluationDue = due(recipe.eval_strategy, recipe.eval_steps);
  const logDue = due(recipe.logging_strategy, recipe.logging_steps);

  await preparePush(recipe);
  const start = await findStart(recipe);
  if (start.from !== undefined) checkStep(start.from, total);
  for (const folder of start.inTheWay) await removeCheckpoint(folder);
  const state = newState(recipe, stepsPerEpoch);
  const settings = stateSettings(recipe, total);
  const yaml = recipeToYaml(recipe);
  const checkpoints = new Checkpoints(run.saveable, { outputDir, limit: recipe.save_total_limit, settings, recipe: yaml });
  const notes = start.from === undefined ? [] : await resume(recipe, run, start.from, checkpoints, state);
  const log = recipe.report_to.includes("tensorboard") ? new TensorBoardLog(recipe.logging_dir ?? outputDir) : undefined;
  try {
    log?.open({ step: state.globalStep, recipe: yaml, histograms: run.histograms });
    yield {
      type: "start",
      step: state.globalStep,
      totalSteps: total,
      stepsPerEpoch,
      ...(start.from && { resumedFrom: start.from.folder }),
      notes,
    };
    const events = train({
      step: run.step,
      batches: run.batches,
      schedule: createSchedule({
        type: recipe.lr_scheduler_type,
        learningRate: recipe.learning_rate,
        warmupSteps: warmupSteps(recipe, total),
        totalSteps: total,
      }),
      evaluator: run.evaluator,
      checkpoints,
      state,
      totalSteps: total,
      due: {
        log: (step) => logDue(step) || (step === 1 && recipe.logging_first_step),
        evaluation: (step) => (step === 0 ? recipe.evaluate_before_training : evaluationDue(step) || step >= total),
        save: due(recipe.save_strategy, recipe.save_steps),
      },
      loadBestModelAtEnd: recipe.load_best_model_at_end,
      signal,
    });
    for await (const event of events) {
      log?.write(event);
      if (event.type === "done") {
        await writeResults(recipe, run, state, settings, event);
        if (recipe.push_to_hub) yield await pushed(recipe, event.step);
      }
      yield event;
    }
  } finally {
    log?.close();
  }
}

async function pushed(recipe: Recipe, step: number): Promise<TrainEvent> {
  const { model, url, commit, private: isPrivate } = await pushResult(recipe);
  return { type: "pushed", step, model, url, commit, private: isPrivate };
}

function newState(recipe: Recipe, stepsPerEpoch: number): TrainerState {
  return new TrainerState(stepsPerEpoch, {
    metric: recipe.metric_for_best_model,
    greaterIsBetter: recipe.greater_is_better ?? false,
    patience: recipe.early_stopping_patience,
    threshold: recipe.early_stopping_threshold,
  });
}

function stateSettings(recipe: Recipe, total: number): StateSettings {
  return {
    max_steps: total,
    num_train_epochs: recipe.num_train_epochs,
    logging_steps: recipe.logging_steps,
    eval_steps: recipe.eval_steps,
    save_steps: recipe.save_steps,
    train_batch_size: recipe.per_device_train_batch_size,
  };
}

async function resume<B>(recipe: Recipe, { saveable }: Run<B>, start: ResumePoint, checkpoints: Checkpoints, state: TrainerState): Promise<string[]> {
  const notes = [...(await resumeNotes(recipe, start)), ...(await saveable.changes(start.folder))];
  const bestBefore = start.saved.best_model_checkpoint;
  await checkpoints.restore(state, start);
  if (bestBefore !== null && state.bestCheckpoint === null)
    notes.push(`the best checkpoint so far, ${bestBefore}, is gone: the best is chosen among those to come`);
  return notes;
}

async function writeResults<B>(
  recipe: Recipe,
  run: Run<B>,
  state: TrainerState,
  settings: StateSettings,
  done: Extract<TrainEvent, { type: "done" }>,
): Promise<void> {
  const write = (name: string, text: string): Promise<void> => writeFileAtomic(join(recipe.output_dir, name), text);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const evaluation = finalEvaluation(state, done.loadedBest);
  await run.saveable.saveModel(recipe.output_dir);
  await write("trainer_state.json", state.toJson(settings));
  await write("recipe.yaml", recipeToYaml(recipe));
  await write("train_results.json", json(trainResults(state)));
  if (Object.keys(evaluation).length > 0) await write("eval_results.json", json({ epoch: state.epoch, ...evaluation }));
  await write("all_results.json", json(done.results));
  await write("README.md", modelCard(run.card, recipe, done.results));
}
