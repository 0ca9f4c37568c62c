/** What a micro-batch's forward and backward pass is, command by command, with its tensors where the arena has them. */
import { type Bindings, evaluateShape } from "../graph/dimension.js";
import { bytesPerElement, type Command, type HostArray, type Tensor } from "../runtime/runtime.js";
import { accumulatedGradients, gradientName, maskName, slotName } from "./arena-layout.js";
import type { Network } from "./block.js";
import type { Slot } from "./differentiate.js";
import { bankLength, dropoutRows } from "./dropout-masks.js";
import type { ParameterStore } from "./parameter-store.js";
import { sitesPerCall, type TrainingCall } from "./training-calls.js";

export interface MicroBatch {
  /** Sizes of the network's symbolic dimensions. */
  readonly bindings: Bindings;
  readonly inputs: Readonly<Record<string, HostArray>>;
  /** What identifies each sample within its optimizer step: dropout depends on it. */
  readonly samples: ArrayLike<number>;
  readonly step: number;
}

/** A micro-batch with its tensors in the arena. */
export interface Binding {
  readonly batch: MicroBatch;
  tensorOf(name: string): Tensor;
  /** Bytes from the start of `whole`. */
  offsetOf(name: string): number;
  /** Where the gradient of a parameter is added to. */
  gradientOf(parameter: string): Tensor;
  /** Banks of random elements, one for each dropout rate, and behind them the arenas of all lanes. */
  readonly whole: Tensor;
}

export interface TrainingCommands {
  inputs(binding: Binding): Command[];
  /** The forward pass of one call; behind it the dropout masks of the next, whose rows may be copied meanwhile. */
  forward(binding: Binding, index: number): Command[];
  /** The whole backward pass. */
  backward(binding: Binding): Command[];
}

export function trainingCommands(
  network: Network,
  store: ParameterStore,
  calls: readonly TrainingCall[],
  options: { readonly loss: string; readonly seed: number; /** Dropout rates in the order of their banks. */ readonly rates: readonly number[] },
): TrainingCommands {
  const sharedGradients = [...accumulatedGradients(calls)];
  const bind = (binding: Binding, prepared: TrainingCall, slots: readonly Slot[]) =>
    slots.map((slot) => {
      if (slot.kind !== "parameter" && slot.kind !== "parameterGradient") return binding.tensorOf(slotName(prepared, slot));
      const name = prepared.call.parameters[slot.name];
      return slot.kind === "parameter" ? store.parameters.get(name)!.tensor : binding.gradientOf(name);
    });
  const masks = ({ batch, whole, offsetOf }: Binding, prepared: TrainingCall) =>
    prepared.graphs.dropouts.map(({ type, rate }, site): Command => {
      const to = offsetOf(maskName(prepared, site)) / bytesPerElement.float32;
      const shape = evaluateShape(type.shape, batch.bindings);
      const place = prepared.place * sitesPerCall + site;
      // A first dimension of fixed size is no batch: what the samples share drops the same elements for all of them, however they are cut.
      const samples = typeof type.shape[0] === "number" ? undefined : batch.samples;
      const starts = dropoutRows(options.rates.indexOf(rate) * bankLength, shape, { seed: options.seed, step: batch.step, place, samples });
      return { do: "copyRows", tensor: whole, to, width: shape[shape.length - 1], starts };
    });
  return {
    inputs: (binding) => Object.keys(network.inputs).map((name) => ({ do: "write", tensor: binding.tensorOf(name), data: binding.batch.inputs[name] })),
    forward: (binding, index) => {
      const { forward: program, graphs } = calls[index];
      const [inputs, outputs] = [graphs.forward.inputs, graphs.forward.outputs].map((slots) => bind(binding, calls[index], slots));
      return [
        ...(index === 0 ? masks(binding, calls[0]) : []),
        { do: "run", program, inputs, outputs },
        ...(index + 1 < calls.length ? masks(binding, calls[index + 1]) : []),
      ];
    },
    backward: (binding) => [
      { do: "fill", tensor: binding.tensorOf(gradientName(options.loss)), value: 1 },
      ...sharedGradients.map((name): Command => ({ do: "fill", tensor: binding.tensorOf(gradientName(name)), value: 0 })),
      ...[...calls].reverse().flatMap((prepared): Command[] => {
        const { backward: program, graphs } = prepared;
        if (program === undefined || graphs.backward === undefined) return [];
        const [inputs, outputs] = [graphs.backward.inputs, graphs.backward.outputs].map((slots) => bind(binding, prepared, slots));
        return [{ do: "run", program, inputs, outputs }];
      }),
    ],
  };
}
