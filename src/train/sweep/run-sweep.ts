/**
 * A sweep from beginning to end: trials by Sobol's or random points, successive halving, a budget of time that holds for the running trial too, and
 * sweep.json, from which the same call carries on. A trial is an ordinary run that stops at a rung and is resumed by the next one, so that what comes
 * out is, bit for bit, a training that was never stopped. A trial that fails is told and passed over.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../checkpoint/atomic.js";
import { type ErrorCode, LecternError } from "../../errors.js";
import { holdFolder } from "../../files/folder-lock.js";
import { makeFolder } from "../../files/make-folder.js";
import { latestCheckpoint } from "../checkpoints.js";
import { chosenMetric, moreIsBetter } from "../chosen-metric.js";
import { type OpenRun, openRun } from "../open-run.js";
import { loadRecipe, recipeToYaml } from "../recipe-load.js";
import type { Recipe } from "../recipe.js";
import { Budget } from "./budget.js";
import { best, createRungs, type Rungs, survivors } from "./halving.js";
import { requireParameters, type Settings, trialSettings } from "./search-space.js";
import type { Sweep } from "./sweep-file.js";
import { type Measured, readSweepState, removeSweepState, type SweepState, type Trial, writeSweepState } from "./sweep-state.js";
import { type Part, type TrainingEvent, trainPart } from "./train-part.js";

/** What a sweep tells as it goes. */
export type SweepEvent =
  | { type: "note"; text: string }
  | { type: "trial"; number: number; rung: number; rungs: number; share: number; parameters: Settings }
  | TrainingEvent
  | { type: "measured"; number: number; measured: Measured }
  /** It is passed over. */
  | { type: "failed"; number: number; status: "diverged" | "failed"; problem: string }
  | { type: "interrupted" }
  | { type: "done"; result: SweepResult };

export interface SweepResult {
  folder: string;
  metric: string;
  /** Wall time of all calls, in seconds. */
  seconds: number;
  trials: Trial[];
  /** Numbers of the trials, best first. */
  ranking: number[];
  /** Number of the best trial; absent where none was measured. */
  best?: number;
  /** The recipe that trains the best settings in full. */
  recipe?: string;
  /** The model of the best trial, where that was trained in full. */
  model?: string;
}

export interface SweepOptions {
  /** Stops after the running step; the same call carries on. */
  signal?: AbortSignal;
  /** What a recipe becomes. */
  open?: OpenRun;
}

/** Settings of every trial: the sweep measures, keeps and stops by itself. */
const ofEveryTrial = [
  "evaluate_before_training=false",
  "eval_strategy=no",
  "load_best_model_at_end=false",
  "early_stopping_patience=",
  "metric_for_best_model=",
  "save_strategy=no",
  "save_total_limit=1",
  "report_to=[]",
  "logging_dir=",
  "overwrite_output_dir=true",
  "push_to_hub=false",
];
/** What the sweep sets itself cannot be varied. */
const ownKeys = new Set([...ofEveryTrial.map((override) => override.replace(/=.*/, "")), "output_dir", "resume_from_checkpoint"]);
/** sweep.json knows how much of the budget is used to so many milliseconds. */
const saveEvery = 5000;
/** A trial whose process ended so many times before it was measured is given up. */
const mostAttempts = 3;
/** So many failures, with nothing measured, end a sweep. */
const mostFailures = 8;
/** Errors that are the sweep's and would come again with every trial. */
const ofTheSweep = new Set<ErrorCode>([
  "METRIC_UNKNOWN",
  "DISK_FULL",
  "FILE_NOT_WRITABLE",
  "FOLDER_HELD",
  "HUB_OFFLINE",
  "HUB_UNREACHABLE",
  "NATIVE_LIBRARY_MISSING",
]);

/**
 * Runs a sweep, or carries on with the one that its folder holds.
 * @throws LecternError SWEEP_PARAMETER, FOLDER_HELD, OUTPUT_IN_USE, METRIC_UNKNOWN, those of recipes; that of a trial where all trials fail
 * @example
 * for await (const event of runSweep({ ...loadSweep("sweep.yaml"), out: "runs/sweep" })) if (event.type === "done") console.log(event.result.best);
 */
export async function* runSweep(sweep: Sweep & { out: string }, { signal, open = openRun }: SweepOptions = {}): AsyncGenerator<SweepEvent> {
  requireParameters(sweep.parameters, ownKeys);
  const search = new Search(sweep, readSweepState(sweep.out, sweep), open, signal);
  const notes = await search.check();
  await makeFolder(sweep.out);
  const held = holdFolder(sweep.out, "a sweep");
  try {
    for (const text of notes) yield { type: "note", text };
    for await (const event of search.run()) {
      yield event;
      await search.saveNowAndThen();
    }
    await search.save();
    if (signal?.aborted) yield { type: "interrupted" };
    else yield { type: "done", result: await search.finish() };
  } catch (error) {
    await search.removeIfEmpty();
    throw error;
  } finally {
    held.release();
  }
}

class Search {
  private readonly rungs: Rungs;
  private readonly budget: Budget;
  private readonly settings: readonly Settings[];
  private savedAt = 0;
  private lastError: unknown;

  constructor(
    private readonly sweep: Sweep & { out: string },
    private readonly state: SweepState,
    private readonly open: OpenRun,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.rungs = createRungs(sweep.halving);
    this.budget = new Budget(sweep.budget_minutes, state.seconds);
    this.settings = trialSettings(sweep.parameters, sweep.trials, sweep.method, sweep.seed);
  }

  /**
   * Looks at every trial's recipe before anything is trained. Settings that exclude each other are the affair of their trial, unless all do.
   * @returns what a person should hear
   */
  async check(): Promise<string[]> {
    const { sweep, settings, state } = this;
    let contradiction: unknown;
    let possible = 0;
    for (const [number, parameters] of settings.entries()) {
      try {
        requireEvaluation(await this.recipeOf({ number, parameters }), sweep.recipe);
        possible++;
      } catch (error) {
        if (!(error instanceof LecternError && error.code === "RECIPE_CONTRADICTION")) throw error;
        contradiction ??= error;
      }
    }
    if (possible === 0) throw contradiction;
    return [
      ...(settings.length < sweep.trials ? [`there are ${settings.length} different settings to try, not ${sweep.trials}`] : []),
      ...(state.trials.length > 0 ? [`carrying on: ${state.trials.length} trials had begun in ${sweep.out}`] : []),
    ];
  }

  async *run(): AsyncGenerator<SweepEvent> {
    const { settings, state, rungs, budget } = this;
    for (let number = 0; number < settings.length && !this.isOver(); number++) {
      const known = this.trial(number);
      if (known !== undefined && !this.isToDo(known, 0)) continue;
      if (known === undefined && !budget.hasRoomForTrials(number + 1, rungs, this.measured)) {
        yield { type: "note", text: `${number} of ${settings.length} trials begun: the budget has no room for more` };
        break;
      }
      yield* this.part(known ?? this.begin(number), 0);
      if (rungs.shares.length > 1) await this.dropAllBut(this.bestOf(0, survivors(settings.length, 1, rungs)), 0);
    }
    for (let rung = 1; rung < rungs.shares.length && !this.isOver(); rung++) {
      const reached = state.trials.filter(({ measured }) => measured.some((m) => m.rung === rung - 1)).length;
      const chosen = this.bestOf(rung - 1, survivors(reached, rung, rungs));
      await this.dropAllBut(chosen, rung - 1);
      for (const number of chosen) {
        const trial = this.trial(number)!;
        if (!this.isToDo(trial, rung)) continue;
        if (this.isOver() || !budget.hasRoomForPart(this.measured)) break;
        yield* this.part(trial, rung);
      }
    }
  }

  /** Trains a trial to the end of a rung and measures it. */
  private async *part(trial: Trial, rung: number): AsyncGenerator<SweepEvent> {
    const { number, parameters } = trial;
    yield { type: "trial", number, rung, rungs: this.rungs.shares.length, share: this.rungs.shares[rung], parameters };
    if (trial.attempts >= mostAttempts) {
      yield await this.fail(
        trial,
        "failed",
        `its process ended ${mostAttempts} times while it was trained: it may need more memory than there is`,
      );
      return;
    }
    trial.attempts++;
    await this.save();
    let part: Part;
    try {
      const canResume = (await latestCheckpoint(this.folder(number))) !== undefined;
      const recipe = await this.recipeOf(trial, canResume ? ["resume_from_checkpoint=true"] : []);
      const { open, budget, signal } = this;
      const evaluationSeconds = budget.evaluationSeconds(this.measured);
      part = yield* trainPart({ number, recipe, open, target: (total) => this.target(rung, total), budget, evaluationSeconds, signal });
    } catch (error) {
      trial.attempts = 0; // its process is alive
      yield await this.failedBy(trial, error);
      return;
    }
    trial.attempts = 0;
    if (this.signal?.aborted) return;
    const { step, totalSteps, metrics } = part;
    trial.status =
      metrics === undefined || step < this.target(rung, totalSteps) ? "out_of_budget" : step >= totalSteps ? "finished" : "waiting";
    if (metrics === undefined) return;
    const value = this.valueOf(metrics);
    if (!Number.isFinite(value) || !Number.isFinite(metrics.eval_loss)) {
      yield await this.fail(
        trial,
        "diverged",
        `The evaluation loss after step ${step} is ${metrics.eval_loss}, ${this.sweep.metric} ${value}.`,
      );
      return;
    }
    const measured: Measured = { rung, step, total_steps: totalSteps, value, metrics, seconds: part.seconds };
    trial.measured = [...trial.measured.filter((one) => one.rung !== rung), measured];
    delete trial.problem;
    await this.save();
    yield { type: "measured", number, measured };
  }

  /** @throws the error where it is the sweep's, or where nothing but failures came so far */
  private async failedBy(trial: Trial, error: unknown): Promise<SweepEvent> {
    const code = error instanceof LecternError ? error.code : undefined;
    if (code !== undefined && ofTheSweep.has(code)) throw error;
    const event = await this.fail(trial, code === "LOSS_NOT_FINITE" ? "diverged" : "failed", inOneLine(error));
    const failures = this.state.trials.filter(({ status }) => status === "failed").length;
    if (this.measured.length === 0 && failures >= mostFailures) throw error;
    this.lastError = error;
    return event;
  }

  private async fail(trial: Trial, status: "diverged" | "failed", problem: string): Promise<SweepEvent> {
    Object.assign(trial, { status, problem });
    await rm(this.folder(trial.number), { recursive: true, force: true });
    await this.save();
    return { type: "failed", number: trial.number, status, problem };
  }

  private trial(number: number): Trial | undefined {
    return this.state.trials.find((one) => one.number === number);
  }

  private begin(number: number): Trial {
    const trial: Trial = { number, parameters: this.settings[number], status: "waiting", attempts: 0, measured: [] };
    this.state.trials.push(trial);
    return trial;
  }

  /** What failed for another reason than its loss is tried again by the next call. */
  private isToDo({ status, attempts, measured }: Trial, rung: number): boolean {
    if (status === "diverged" || (status === "failed" && attempts >= mostAttempts)) return false;
    return !measured.some((one) => one.rung > rung || (one.rung === rung && one.step >= this.target(rung, one.total_steps)));
  }

  private get measured(): Measured[] {
    return this.state.trials.flatMap(({ measured }) => measured);
  }

  /** Numbers of the best trials at a rung, best first; those that diverged or failed later on are among them. */
  private bestOf(rung: number, count: number): number[] {
    const values = this.state.trials.flatMap(({ number, measured }) =>
      measured.filter((one) => one.rung === rung).map(({ value }) => [number, value] as const),
    );
    return best(new Map(values), count, this.greaterIsBetter);
  }

  /** Trials that go no further than a rung keep their figures and not their files. */
  private async dropAllBut(chosen: readonly number[], rung: number): Promise<void> {
    for (const trial of this.state.trials) {
      if (chosen.includes(trial.number) || trial.measured.at(-1)?.rung !== rung) continue;
      if (trial.status === "waiting") trial.status = "stopped";
      await rm(this.folder(trial.number), { recursive: true, force: true });
    }
  }

  private folder(number: number): string {
    return join(this.sweep.out, "trials", `trial-${number + 1}`);
  }

  private recipeOf({ number, parameters }: Pick<Trial, "number" | "parameters">, more: readonly string[] = []): Promise<Recipe> {
    const folder = `output_dir=${JSON.stringify(this.folder(number))}`;
    return loadRecipe(this.sweep.recipe, [...this.overrides(parameters), ...ofEveryTrial, folder, ...more]);
  }

  private overrides(settings: Settings): string[] {
    return [...this.sweep.overrides, ...Object.entries(settings).map(([key, value]) => `${key}=${JSON.stringify(value)}`)];
  }

  private target(rung: number, total: number): number {
    return Math.max(1, Math.ceil(total * this.rungs.shares[rung]));
  }

  private get greaterIsBetter(): boolean {
    return this.sweep.greater_is_better ?? moreIsBetter(this.sweep.metric);
  }

  private valueOf(metrics: Record<string, number>): number {
    return chosenMetric(metrics, this.sweep.metric, {
      message: `The sweep's metric is ${this.sweep.metric}, which the evaluation does not give.`,
      next: "Name one of these with --metric.",
    });
  }

  private isOver(): boolean {
    return this.signal?.aborted === true || this.budget.left() <= 0;
  }

  /** Numbers of all trials, best first: those that went furthest, of these the best, since each was among the best where they had trained as long. */
  private ranking(): number[] {
    const { trials } = this.state;
    const furthest = this.rungs.shares.map((_, rung) => this.bestOf(rung, trials.length)).reverse();
    const ranked = new Set([...furthest.flat(), ...trials.map(({ number }) => number)]);
    const isOut = (number: number): boolean => ["diverged", "failed"].includes(this.trial(number)!.status);
    return [...ranked].sort((a, b) => Number(isOut(a)) - Number(isOut(b)));
  }

  private bestTrial(): number | undefined {
    return this.ranking().find((number) => {
      const { status, measured } = this.trial(number)!;
      return measured.length > 0 && status !== "diverged" && status !== "failed";
    });
  }

  async saveNowAndThen(): Promise<void> {
    if (performance.now() - this.savedAt > saveEvery) await this.save();
  }

  async save(): Promise<void> {
    this.savedAt = performance.now();
    this.state.seconds = this.budget.used();
    this.state.best = this.bestTrial() ?? null;
    await writeSweepState(this.sweep.out, this.state);
  }

  /** A sweep that ended by an error before it measured anything leaves its folder free for one with other settings. */
  async removeIfEmpty(): Promise<void> {
    if (this.measured.length > 0) return;
    await removeSweepState(this.sweep.out);
    await rm(join(this.sweep.out, "trials"), { recursive: true, force: true });
  }

  /**
   * Writes best.yaml and the chart.
   * @throws the error of the last trial where all failed
   */
  async finish(): Promise<SweepResult> {
    const { out, metric, parameters } = this.sweep;
    const { trials, seconds, best: number } = this.state;
    const result: SweepResult = { folder: out, metric, seconds, trials, ranking: this.ranking() };
    if (number === null && trials.length > 0 && trials.every(({ status }) => status === "failed") && this.lastError !== undefined)
      throw this.lastError;
    if (number === null) return result;
    const winner = this.trial(number)!;
    const recipe = await loadRecipe(this.sweep.recipe, [
      ...this.overrides(winner.parameters),
      `output_dir=${JSON.stringify(join(out, "best"))}`,
    ]);
    const file = join(out, "best.yaml");
    await writeFileAtomic(file, recipeToYaml(recipe));
    const { sweepSvg } = await import("./sweep-chart.js"); // ECharts takes a third of a second to load
    await writeFileAtomic(join(out, "sweep.svg"), sweepSvg({ metric, parameters, trials, best: number }));
    const model = this.folder(number);
    const isWhole = winner.status === "finished" && existsSync(join(model, "model.safetensors"));
    return { ...result, best: number, recipe: file, ...(isWhole && { model }) };
  }
}

function inOneLine(error: unknown): string {
  if (!(error instanceof LecternError)) return error instanceof Error ? error.message : String(error);
  const { message, expected, received } = error.detail;
  const details = [
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(received === undefined ? [] : [`received ${received}`]),
  ];
  return `${message}${details.length > 0 ? ` (${details.join("; ")})` : ""}`;
}

function requireEvaluation({ eval_files: files, validation_split: split }: Recipe, file: string): void {
  if (files.length > 0 || split > 0) return;
  throw new LecternError("RECIPE_CONTRADICTION", {
    message: `${file}: a sweep compares by evaluations, and there is nothing to evaluate on.`,
    next: "Give eval_files or validation_split.",
  });
}
