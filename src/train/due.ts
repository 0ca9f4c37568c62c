/**
 * When something is due: every n steps or at the end of each epoch, and once more when the training ends, as in transformers'
 * DefaultFlowCallback. Pure functions of the number of steps made, so a resumed run does the same things at the same steps.
 */
export const intervals = ["no", "steps", "epoch"] as const;
export type Interval = (typeof intervals)[number];

export interface DueOptions {
  strategy: Interval;
  /** Every so many optimizer steps; below 1 a share of the whole run, rounded up. Used by the strategy `steps`. */
  every: number;
  stepsPerEpoch: number;
  totalSteps: number;
}

/** Whether it is due after `step` optimizer steps; never before the first. */
export type Due = (step: number) => boolean;

/**
 * @example
 * const due = createDue({ strategy: "steps", every: 500, stepsPerEpoch: 1000, totalSteps: 1200 });
 * [0, 499, 500, 1000, 1200].filter(due); // [500, 1000, 1200]: the end is always due
 */
export function createDue({ strategy, every, stepsPerEpoch, totalSteps }: DueOptions): Due {
  if (strategy === "no") return () => false;
  const interval = strategy === "epoch" ? stepsPerEpoch : every < 1 ? Math.ceil(totalSteps * every) : every;
  return (step) => step > 0 && (step % interval === 0 || step >= totalSteps);
}

/** Optimizer steps of the whole run: `max_steps` when it is positive, else epochs times steps, rounded up. */
export function totalSteps(recipe: { max_steps: number; num_train_epochs: number }, stepsPerEpoch: number): number {
  return recipe.max_steps > 0 ? recipe.max_steps : Math.ceil(recipe.num_train_epochs * stepsPerEpoch);
}
