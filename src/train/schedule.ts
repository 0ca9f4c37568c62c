/**
 * Learning-rate schedules: pure functions from the 0-based optimizer step to the rate of that step, the same numbers as
 * `transformers.get_scheduler` (optimization.py: linear, cosine with half a wave, constant, constant_with_warmup).
 */
export const scheduleTypes = ["linear", "cosine", "constant", "constant_with_warmup"] as const;
export type ScheduleType = (typeof scheduleTypes)[number];

export interface ScheduleOptions {
  type: ScheduleType;
  /** Peak rate. */
  learningRate: number;
  /** Steps over which the rate rises linearly from 0; `constant` ignores them, as transformers does. */
  warmupSteps: number;
  /** Optimizer steps of the whole run. */
  totalSteps: number;
}

/** Rate of a 0-based optimizer step. */
export type Schedule = (step: number) => number;

/**
 * The schedule of a run.
 *
 * @example
 * const rate = createSchedule({ type: "linear", learningRate: 2e-5, warmupSteps: 0, totalSteps: 100 });
 * rate(0);  // 2e-5
 * rate(50); // 1e-5
 */
export function createSchedule({ type, learningRate, warmupSteps, totalSteps }: ScheduleOptions): Schedule {
  const warm = (step: number, after: (progress: number) => number): number => {
    if (step < warmupSteps) return step / Math.max(1, warmupSteps);
    return after((step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  };
  const factors: Record<ScheduleType, Schedule> = {
    linear: (step) => warm(step, () => Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps))),
    cosine: (step) => warm(step, (progress) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)))),
    constant: () => 1,
    constant_with_warmup: (step) => warm(step, () => 1),
  };
  const factor = factors[type];
  return (step) => learningRate * factor(step);
}

/** Steps of warm-up from TrainingArguments' two ways of giving them: a number of steps wins over a share of the run, which is rounded up. */
export function warmupSteps(recipe: { warmup_steps: number; warmup_ratio: number }, totalSteps: number): number {
  return recipe.warmup_steps > 0 ? recipe.warmup_steps : Math.ceil(totalSteps * recipe.warmup_ratio);
}
