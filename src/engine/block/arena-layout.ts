/** What lies in the arena of a micro-batch, under which name, of which type, and from when to when it is needed. */
import { type Bindings, evaluateShape } from "../graph/dimension.js";
import type { TensorType } from "../graph/value.js";
import { bytesPerElement } from "../runtime/runtime.js";
import type { Network } from "./block.js";
import type { Slot } from "./differentiate.js";
import type { Lifetime } from "./memory-plan.js";
import type { TrainingCall } from "./training-calls.js";

/** Gradients that several calls add to: they start at zero. */
export function accumulatedGradients(calls: readonly TrainingCall[]): Set<string> {
  const names = new Set<string>();
  for (const { call, graphs } of calls) {
    for (const slot of graphs.backward?.inputs ?? []) if (slot.kind === "inputGradient") names.add(call.inputs[slot.name]);
  }
  return names;
}

export const gradientName = (name: string) => `gradient of ${name}`;
export const maskName = ({ call }: TrainingCall, index: number) => `${call.name} mask ${index}`;
const residualName = ({ call }: TrainingCall, index: number) => `${call.name} residual ${index}`;

/** The network-wide name of what a slot of a call stands for. */
export function slotName(prepared: TrainingCall, slot: Slot): string {
  switch (slot.kind) {
    case "input":
      return prepared.call.inputs[slot.name];
    case "output":
      return prepared.call.outputs[slot.name];
    case "inputGradient":
      return gradientName(prepared.call.inputs[slot.name]);
    case "outputGradient":
      return gradientName(prepared.call.outputs[slot.name]);
    case "residual":
      return residualName(prepared, slot.index);
    case "mask":
      return maskName(prepared, slot.index);
    default:
      throw new Error(`internal: ${slot.kind} ${slot.name} lies in the parameter store`);
  }
}

export function tensorTypes(network: Network, calls: readonly TrainingCall[]): Map<string, TensorType> {
  const types = new Map<string, TensorType>(Object.entries(network.inputs));
  for (const prepared of calls) {
    for (const [local, type] of prepared.graphs.outputs) {
      types.set(prepared.call.outputs[local], type);
      types.set(gradientName(prepared.call.outputs[local]), type);
    }
    prepared.graphs.residuals.forEach((type, index) => types.set(residualName(prepared, index), type));
    prepared.graphs.dropouts.forEach(({ type }, index) => types.set(maskName(prepared, index), type));
  }
  return types;
}

/** From which event to which each tensor is needed: events 0 … n−1 are the forward calls, n … 2n−1 the backward ones. */
export function lifetimesOf(network: Network, calls: readonly TrainingCall[], types: ReadonlyMap<string, TensorType>, bindings: Bindings): Lifetime[] {
  const spans = new Map<string, { first: number; last: number }>();
  const touch = (name: string, event: number) => {
    const span = spans.get(name);
    if (span === undefined) spans.set(name, { first: event, last: event });
    else {
      span.first = Math.min(span.first, event);
      span.last = Math.max(span.last, event);
    }
  };
  const end = 2 * calls.length - 1;
  for (const name of Object.keys(network.inputs)) touch(name, -1);
  calls.forEach((prepared, index) => {
    const touchAll = (slots: readonly Slot[], event: number) => {
      for (const slot of slots) if (slot.kind !== "parameter" && slot.kind !== "parameterGradient") touch(slotName(prepared, slot), event);
    };
    // Masks are filled while the call before runs.
    prepared.graphs.dropouts.forEach((_, mask) => touch(maskName(prepared, mask), index - 1));
    touchAll(prepared.graphs.forward.inputs, index);
    touchAll(prepared.graphs.forward.outputs, index);
    if (prepared.graphs.backward !== undefined) {
      touchAll(prepared.graphs.backward.inputs, end - index);
      touchAll(prepared.graphs.backward.outputs, end - index);
    }
  });
  // The seed and accumulated gradients are written before the first backward call; final outputs are read after the last forward one.
  for (const name of accumulatedGradients(calls)) touch(gradientName(name), calls.length);
  const consumed = new Set(calls.flatMap(({ call }) => Object.values(call.inputs)));
  for (const { call } of calls) for (const name of Object.values(call.outputs)) if (!consumed.has(name)) touch(name, calls.length);
  return [...spans].map(([name, { first, last }]) => {
    const type = types.get(name)!;
    const count = evaluateShape(type.shape, bindings).reduce((product, size) => product * size, 1);
    return { name, byteLength: count * bytesPerElement[type.dtype], first, last };
  });
}
