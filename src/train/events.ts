/**
 * What a training run tells as it goes, as one discriminated union: the command line prints it, TensorBoard logs it, tests collect it.
 * Times are seconds.
 */
export type TrainEvent =
  | { type: "start"; step: number; totalSteps: number; stepsPerEpoch: number; resumedFrom?: string; notes: string[] }
  /** Every optimizer step. */
  | {
      type: "step";
      step: number;
      epoch: number;
      loss: number;
      learningRate: number;
      gradientNorm: number;
      samples: number;
      tokens: number;
      seconds: number;
    }
  /** Every logging_steps: the mean loss since the last log, the rate and gradient norm of the last step. */
  | { type: "log"; step: number; epoch: number; loss: number; learningRate: number; gradientNorm: number; samplesPerSecond: number }
  /** An evaluation on its way: samples done, of how many. */
  | { type: "evaluating"; step: number; done: number; total: number }
  | { type: "evaluation"; step: number; epoch: number; metrics: Record<string, number>; best: boolean }
  | { type: "checkpoint"; step: number; folder: string; removed: string[] }
  /** The model was pushed to the hub, as the recipe says. */
  | { type: "pushed"; step: number; model: string; url: string; commit: string; private: boolean }
  /** Stopped by the signal. `folder` is absent when nothing was trained yet. */
  | { type: "interrupted"; step: number; folder?: string }
  | {
      type: "done";
      step: number;
      epoch: number;
      stoppedEarly: boolean;
      /** The checkpoint whose model the run ends with, when that is not the last. */
      loadedBest?: string;
      /** Checkpoints that were better and are gone or damaged, and how. */
      passedOver?: string[];
      /** What all_results.json holds. */
      results: Record<string, number>;
    };
