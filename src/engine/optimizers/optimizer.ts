/**
 * Optimizers: graphs that update the parameters of a store in place, from the gradients that lie beside them. What changes from
 * step to step (rate, bias corrections, the scale of the gradient) goes in as scalars, so nothing is compiled twice.
 */
import type { ParameterStore } from "../block/parameter-store.js";
import type { Runtime, Tensor } from "../runtime/runtime.js";
import { type AdafactorSettings, createAdafactor } from "./adafactor.js";
import { adamW, type AdamWSettings } from "./adamw.js";
import { createFlatOptimizer } from "./flat-optimizer.js";
import { sgd, type SgdSettings } from "./sgd.js";

export type OptimizerSettings =
  | ({ readonly name: "adamw" } & AdamWSettings)
  | ({ readonly name: "sgd" } & SgdSettings)
  | ({ readonly name: "adafactor" } & AdafactorSettings);

export interface UpdateOptions {
  /** The learning rate of this step. */
  readonly rate: number;
  /** What the stored gradients are multiplied with before anything else: 1 / (samples they sum over) times the clip factor. */
  readonly gradientScale?: number;
}

/** One tensor of an optimizer's memory, under a name made of the parameter's and torch's name of the state. */
export interface StateTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

export interface Optimizer {
  readonly name: OptimizerSettings["name"];
  /** Updates made so far; set it when state is restored. */
  step: number;
  /** Updates all parameters in place and counts the step. Not to be called again before it is done. */
  update(options: UpdateOptions): Promise<void>;
  /** What must be saved and restored, beside `step`, for a resumed run to go on bit for bit: views that can be written into. */
  state(): readonly StateTensor[];
  release(): void;
}

/**
 * Compiles the optimizer for the trainable parameters of `store`. Weight decay applies to the store's groups that ask for it.
 *
 * @example
 * const optimizer = await createOptimizer(runtime, store, { name: "adamw", weightDecay: 0.01 });
 * const norm = (await gradientNorm()) / samples;
 * await optimizer.update({ rate: 2e-5, gradientScale: clipFactor(norm, 1) / samples });
 */
export async function createOptimizer(runtime: Runtime, store: ParameterStore, settings: OptimizerSettings): Promise<Optimizer> {
  switch (settings.name) {
    case "adamw":
      return createFlatOptimizer(runtime, store, adamW(settings));
    case "sgd":
      return createFlatOptimizer(runtime, store, sgd(settings));
    case "adafactor":
      return createAdafactor(runtime, store, settings);
  }
}
