/**
 * How far a training run has come, and trainer_state.json, in which it is kept: Hugging Face's own file (transformers' TrainerState, sorted
 * keys), so tools that read log_history or best_model_checkpoint find them. What transformers has no field for stands in
 * `stateful_callbacks`, where it looks only for the callbacks it knows. Numbers survive JSON exactly, so a resumed run goes on bit for bit.
 */
import { join } from "node:path";
import { z } from "zod";
import { readContainedText } from "../files/plain-file.js";
import { LecternError } from "../errors.js";
import { chosenMetric } from "./chosen-metric.js";
import type { StepResult } from "./run.js";

/** One entry of log_history: a training log (loss, grad_norm, learning_rate), an evaluation (eval_…) or the closing summary (train_…). */
export type LogEntry = { epoch: number; step: number } & Record<string, number>;

/** What is chosen by, when something is. */
export interface BestOptions {
  /** Without `eval_`. Absent: no best is tracked. */
  metric: string | undefined;
  greaterIsBetter: boolean;
  /** Evaluations without improvement before the training stops. */
  patience: number | undefined;
  threshold: number;
}

/** Settings that trainer_state.json repeats. */
export interface StateSettings {
  max_steps: number;
  num_train_epochs: number;
  logging_steps: number;
  eval_steps: number;
  save_steps: number;
  train_batch_size: number;
}

/** Sums since the start of the run or since the last log entry. */
interface Sums {
  loss: number;
  steps: number;
  samples: number;
  tokens: number;
  seconds: number;
}

/** A log entry of a hundred bytes each step, for a million steps. */
const longestState = 256 * 2 ** 20;

const noSums = (): Sums => ({ loss: 0, steps: 0, samples: 0, tokens: 0, seconds: 0 });

export class TrainerState {
  /** Optimizer steps made. */
  globalStep = 0;
  logHistory: LogEntry[] = [];
  bestMetric: number | null = null;
  bestStep: number | null = null;
  /** Folder of the best checkpoint among those that were evaluated and saved. */
  bestCheckpoint: string | null = null;
  /** Evaluations in a row that were no improvement. */
  withoutImprovement = 0;
  total = noSums();
  sinceLog = noSums();
  /** Whether something happened that no checkpoint holds yet. */
  unsaved = false;

  constructor(
    readonly stepsPerEpoch: number,
    readonly best: BestOptions,
  ) {}

  /** Epochs passed, e.g. 1.25. */
  get epoch(): number {
    return this.globalStep / this.stepsPerEpoch;
  }

  /** Whether the model as it is now has been evaluated. */
  get evaluated(): boolean {
    return this.evaluationAt(this.globalStep) !== undefined;
  }

  get stoppedEarly(): boolean {
    return this.best.patience !== undefined && this.withoutImprovement >= this.best.patience;
  }

  evaluationAt(step: number): LogEntry | undefined {
    return this.logHistory.find((entry) => entry.step === step && "eval_loss" in entry);
  }

  advance(result: StepResult, seconds: number): void {
    this.globalStep += 1;
    for (const sums of [this.total, this.sinceLog]) {
      sums.loss += result.loss;
      sums.steps += 1;
      sums.samples += result.samples;
      sums.tokens += result.tokens;
      sums.seconds += seconds;
    }
    this.unsaved = true;
  }

  /** Closes the interval since the last log entry: its mean loss, with the rate and gradient norm of its last step. */
  log(rate: number, gradientNorm: number): { entry: LogEntry; samplesPerSecond: number } {
    const { loss, steps, samples, seconds } = this.sinceLog;
    const entry = { epoch: this.epoch, grad_norm: gradientNorm, learning_rate: rate, loss: loss / steps, step: this.globalStep };
    this.sinceLog = noSums();
    this.logHistory.push(entry);
    return { entry, samplesPerSecond: samples / seconds };
  }

  /** Records an evaluation; true when it is the best so far. Early stopping counts as transformers' EarlyStoppingCallback. */
  recordEvaluation(metrics: Record<string, number>): boolean {
    const value = this.chosenMetric(metrics);
    this.logHistory.push({ epoch: this.epoch, ...metrics, step: this.globalStep });
    if (this.globalStep === 0) return false; // the untouched model has no checkpoint to go back to
    this.unsaved = true;
    if (value === undefined) return false;
    const { bestMetric } = this;
    const isBest = bestMetric === null || this.isBetter(value, bestMetric);
    const improved = bestMetric === null || (isBest && Math.abs(value - bestMetric) > this.best.threshold);
    this.withoutImprovement = improved ? 0 : this.withoutImprovement + 1;
    if (isBest) {
      this.bestMetric = value;
      this.bestStep = this.globalStep;
    }
    return isBest;
  }

  /** Makes `folder` the best checkpoint if its evaluation beats that of the best one so far. */
  considerCheckpoint(folder: string): void {
    const now = this.evaluationAt(checkpointStep(folder)!);
    if (now === undefined || this.best.metric === undefined) return;
    const before = this.bestCheckpoint === null ? undefined : this.evaluationAt(checkpointStep(this.bestCheckpoint)!);
    if (before === undefined || this.isBetter(this.chosenMetric(now)!, this.chosenMetric(before)!)) this.bestCheckpoint = folder;
  }

  private isBetter(a: number, b: number): boolean {
    return this.best.greaterIsBetter ? a > b : a < b;
  }

  private chosenMetric(metrics: Record<string, number>): number | undefined {
    if (this.best.metric === undefined) return undefined;
    return chosenMetric(metrics, this.best.metric, {
      message: `metric_for_best_model is ${this.best.metric}, which the evaluation does not give.`,
      next: "Set metric_for_best_model to one of these.",
    });
  }

  /** trainer_state.json. */
  toJson(settings: StateSettings): string {
    const { patience, threshold } = this.best;
    const json = {
      best_global_step: this.bestStep,
      best_metric: this.bestMetric,
      best_model_checkpoint: this.bestCheckpoint,
      epoch: this.epoch,
      eval_steps: settings.eval_steps,
      global_step: this.globalStep,
      is_hyper_param_search: false,
      is_local_process_zero: true,
      is_world_process_zero: true,
      log_history: this.logHistory,
      logging_steps: settings.logging_steps,
      max_steps: settings.max_steps,
      num_input_tokens_seen: this.total.tokens,
      num_train_epochs: Math.ceil(settings.num_train_epochs),
      save_steps: settings.save_steps,
      stateful_callbacks: {
        ...(patience !== undefined && {
          EarlyStoppingCallback: {
            args: { early_stopping_patience: patience, early_stopping_threshold: threshold },
            attributes: { early_stopping_patience_counter: this.withoutImprovement },
          },
        }),
        Lectern: { args: {}, attributes: { total: this.total, since_log: this.sinceLog } },
      },
      total_flos: 0,
      train_batch_size: settings.train_batch_size,
      trial_name: null,
      trial_params: null,
    };
    return `${JSON.stringify(json, null, 2)}\n`;
  }

  /** Takes over what a checkpoint's trainer_state.json holds. */
  restore(saved: SavedState): void {
    this.globalStep = saved.global_step;
    this.logHistory = saved.log_history;
    this.bestMetric = saved.best_metric;
    this.bestStep = saved.best_global_step;
    this.bestCheckpoint = saved.best_model_checkpoint;
    this.withoutImprovement = saved.stateful_callbacks.EarlyStoppingCallback?.attributes.early_stopping_patience_counter ?? 0;
    this.total = saved.stateful_callbacks.Lectern.attributes.total;
    this.sinceLog = saved.stateful_callbacks.Lectern.attributes.since_log;
    this.unsaved = false;
  }
}

const count = z.number().int().nonnegative();
const sums = z.object({ loss: z.number(), steps: count, samples: count, tokens: count, seconds: z.number() });

/** The part of trainer_state.json that is read back. */
const savedState = z.object({
  global_step: count,
  log_history: z.array(z.object({ epoch: z.number(), step: count }).catchall(z.number())),
  best_metric: z.number().nullable(),
  best_global_step: count.nullable(),
  best_model_checkpoint: z.string().nullable(),
  stateful_callbacks: z.object({
    EarlyStoppingCallback: z.object({ attributes: z.object({ early_stopping_patience_counter: count }) }).optional(),
    Lectern: z.object({ attributes: z.object({ total: sums, since_log: sums }) }),
  }),
});
export type SavedState = z.infer<typeof savedState>;

/** N of a folder named checkpoint-N. */
export function checkpointStep(folder: string): number | undefined {
  const match = /(?:^|[\\/])checkpoint-(\d+)[\\/]*$/.exec(folder);
  return match ? Number(match[1]) : undefined;
}

/**
 * Reads a checkpoint's trainer_state.json.
 *
 * @throws LecternError FILE_MISSING, CHECKPOINT_INCOMPLETE when it is damaged or was not written by Lectern.
 */
export async function readTrainerState(folder: string): Promise<SavedState> {
  const file = join(folder, "trainer_state.json");
  const text = readContainedText(folder, "trainer_state.json", { what: "the state of a training run, as every checkpoint has", limit: longestState });
  let saved: unknown;
  try {
    saved = JSON.parse(text);
  } catch {
    // told below, with what a person can do
  }
  const parsed = savedState.safeParse(saved);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new LecternError("CHECKPOINT_INCOMPLETE", {
    message: `${file} is not the state of a run that can go on.`,
    expected: "a file that Lectern wrote with a checkpoint",
    received: saved === undefined ? "a text that is not JSON" : `${path.join(".") || "the file"}: ${message}`,
    next: "Resume from another checkpoint; or start anew from this one's weights with model=FOLDER.",
  });
}
