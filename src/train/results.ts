/**
 * The figures of a finished run, under Hugging Face's names: train_results.json and eval_results.json as its Trainer writes them, and
 * all_results.json with everything a before/after table needs. train_runtime is the time spent in optimizer steps; evaluations and
 * checkpoints are not in it, and a resumed run counts all its parts.
 */
import { resultName } from "../evaluate/figure-names.js";
import { checkpointStep, type LogEntry, type TrainerState } from "./trainer-state.js";

export function trainResults(state: TrainerState): Record<string, number> {
  const { loss, steps, samples, seconds } = state.total;
  const perSecond = (count: number): number => (seconds > 0 ? count / seconds : 0);
  return {
    epoch: state.epoch,
    train_loss: steps > 0 ? loss / steps : 0,
    train_runtime: seconds,
    train_samples: samples,
    train_samples_per_second: perSecond(samples),
    train_steps: steps,
    train_steps_per_second: perSecond(steps),
  };
}

/** The evaluation of the model that the run ended with, as it stands in log_history. */
export function finalEvaluation(state: TrainerState, loadedBest: string | undefined): Record<string, number> {
  const entry = state.evaluationAt(loadedBest === undefined ? state.globalStep : checkpointStep(loadedBest)!);
  return entry === undefined ? {} : evaluationFigures(entry);
}

/** all_results.json: baseline_eval_loss, baseline_exact, baseline_f1, …; eval_loss, exact, f1, …; train_… */
export function allResults(state: TrainerState, final: Record<string, number>): Record<string, number> {
  const baseline = state.evaluationAt(0);
  return {
    ...(baseline && renamed(evaluationFigures(baseline), "baseline_")),
    ...renamed(final, ""),
    ...trainResults(state),
  };
}

function evaluationFigures(entry: LogEntry): Record<string, number> {
  return Object.fromEntries(Object.entries(entry).filter(([name]) => name.startsWith("eval_")));
}

function renamed(figures: Record<string, number>, prefix: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [prefix + resultName(name.replace(/^eval_/, "")), value]),
  );
}
