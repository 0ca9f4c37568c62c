/**
 * The training loop, from top to bottom in the order of the algorithm. It knows no model and no task: a step, an order of batches, a
 * schedule, an evaluator, checkpoints. It tells what happens as events and keeps nothing that is not in its state, so a run stopped
 * anywhere and resumed makes the same steps, evaluations and checkpoints as one that was not.
 */
import { InternalError, type LecternError } from "../errors.js";
import type { Checkpoints, LoadedBest } from "./checkpoints.js";
import type { Due } from "./due.js";
import type { TrainEvent } from "./events.js";
import { lossNotFinite } from "./loss-not-finite.js";
import { relay } from "./relay.js";
import { allResults, finalEvaluation, trainResults } from "./results.js";
import type { BatchOrder, Evaluator, StepResult, TrainStep } from "./run.js";
import type { Schedule } from "./schedule.js";
import type { TrainerState } from "./trainer-state.js";

/** What the loop works with. */
export interface TrainLoop<B> {
  step: TrainStep<B>;
  batches: BatchOrder<B>;
  schedule: Schedule;
  evaluator: Evaluator | undefined;
  checkpoints: Checkpoints;
  /** New, or restored from a checkpoint together with the model. */
  state: TrainerState;
  totalSteps: number;
  /** Each after so many steps; an evaluation may be due after none. */
  due: { log: Due; evaluation: Due; save: Due };
  loadBestModelAtEnd: boolean;
  /** When aborted, the running step is finished, a checkpoint saved, and the loop ends with `interrupted`. */
  signal?: AbortSignal;
}

/**
 * Trains to the end, or until the signal.
 *
 * @throws LecternError LOSS_NOT_FINITE at the first loss or gradient that is NaN or infinite; METRIC_UNKNOWN; DISK_FULL and the like from saving
 * @example
 * for await (const event of train(loop)) if (event.type === "log") console.log(event.step, event.loss);
 */
export async function* train<B>(loop: TrainLoop<B>): AsyncGenerator<TrainEvent> {
  const { step, batches, schedule, evaluator, checkpoints, state, due, signal } = loop;
  for (;;) {
    if (evaluator && due.evaluation(state.globalStep) && !state.evaluated && !signal?.aborted) yield* evaluation(evaluator, state, signal);
    if (due.save(state.globalStep) && state.unsaved) yield await save(checkpoints, state);
    if (signal?.aborted) {
      if (state.unsaved) yield await save(checkpoints, state);
      yield { type: "interrupted", step: state.globalStep, ...(state.globalStep > 0 && { folder: checkpoints.folder(state) }) };
      return;
    }
    if (state.globalStep >= loop.totalSteps || state.stoppedEarly) break;

    const started = performance.now();
    const learningRate = schedule(state.globalStep);
    const result = await step.run(batches.batch(state.globalStep), learningRate); // forward, backward, clip, update
    const seconds = (performance.now() - started) / 1000;
    requireFinite(result, state);
    state.advance(result, seconds);
    yield { type: "step", step: state.globalStep, epoch: state.epoch, learningRate, ...result, seconds };
    if (due.log(state.globalStep)) yield logged(state, learningRate, result.gradientNorm);
  }
  const { folder: loadedBest, passedOver }: LoadedBest = loop.loadBestModelAtEnd ? await checkpoints.loadBest(state) : { passedOver: [] };
  const results = allResults(state, finalEvaluation(state, loadedBest));
  state.logHistory.push({ ...trainResults(state), epoch: state.epoch, step: state.globalStep });
  yield {
    type: "done",
    step: state.globalStep,
    epoch: state.epoch,
    stoppedEarly: state.stoppedEarly,
    ...(loadedBest && { loadedBest }),
    ...(passedOver.length > 0 && { passedOver }),
    results,
  };
}

async function* evaluation(evaluator: Evaluator, state: TrainerState, signal: AbortSignal | undefined): AsyncGenerator<TrainEvent> {
  const step = state.globalStep;
  let metrics: Record<string, number>;
  try {
    metrics = yield* relay<TrainEvent, Record<string, number>>((emit) =>
      evaluator.run((done, total) => emit({ type: "evaluating", step, done, total }), signal),
    );
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return; // not recorded, hence made again on resume
    throw error;
  }
  if (!("eval_loss" in metrics)) throw new InternalError("an evaluation gave no eval_loss");
  if (!Number.isFinite(metrics.eval_loss)) throw diverged(`The evaluation loss after step ${step} is ${metrics.eval_loss}.`, state);
  const best = state.recordEvaluation(metrics);
  yield { type: "evaluation", step, epoch: state.epoch, metrics, best };
}

async function save(checkpoints: Checkpoints, state: TrainerState): Promise<TrainEvent> {
  return { type: "checkpoint", step: state.globalStep, ...(await checkpoints.save(state)) };
}

function logged(state: TrainerState, learningRate: number, gradientNorm: number): TrainEvent {
  const { entry, samplesPerSecond } = state.log(learningRate, gradientNorm);
  return { type: "log", step: state.globalStep, epoch: state.epoch, loss: entry.loss, learningRate, gradientNorm, samplesPerSecond };
}

/** The update of such a step has spoilt the weights already, so there is nothing to go on with but the last checkpoint. */
function requireFinite({ loss, gradientNorm }: StepResult, state: TrainerState): void {
  const step = state.globalStep + 1;
  if (!Number.isFinite(loss)) throw diverged(`The loss of step ${step} is ${loss}.`, state);
  if (!Number.isFinite(gradientNorm))
    throw diverged(`The gradient norm of step ${step} is ${gradientNorm} (its loss is ${loss}).`, state);
}

function diverged(message: string, { sinceLog: { steps, loss } }: TrainerState): LecternError {
  return lossNotFinite({ message, received: steps > 0 ? `a mean loss of ${loss / steps} over the ${steps} steps before` : undefined });
}
