/**
 * Parameters of a network in one stretch of memory, gradients in another of the same layout: trained parameters with weight
 * decay first, then those without, then frozen ones (which have no gradient). An optimizer can walk each group as one vector.
 */
import { bytesPerElement, type Memory, type Runtime, type Tensor } from "../runtime/runtime.js";
import type { ParameterDeclaration } from "./block.js";

/** Parameters start at multiples of this many elements, so that vector instructions find them aligned. */
const alignment = 16;

export interface StoredParameter {
  readonly name: string;
  readonly declaration: ParameterDeclaration;
  /** First element in the flat memory. */
  readonly offset: number;
  readonly length: number;
  readonly trainable: boolean;
  readonly tensor: Tensor;
  readonly gradient: Tensor | undefined;
}

/** Consecutive parameters that an optimizer treats alike; `end` is exclusive, gaps between parameters hold zeros. */
export interface ParameterGroup {
  readonly decay: boolean;
  readonly start: number;
  readonly end: number;
  readonly parameters: readonly StoredParameter[];
}

export interface ParameterStore {
  readonly weights: Memory;
  /** Undefined where nothing is trained. */
  readonly gradients: Memory | undefined;
  readonly parameters: ReadonlyMap<string, StoredParameter>;
  readonly groups: readonly ParameterGroup[];
  /** Elements of the trained parameters, padding included. */
  readonly trainedLength: number;
  clearGradients(): void;
}

/** Lays out `declarations`; `trainable` says which parameters get a gradient (none for inference). */
export function createParameterStore(
  runtime: Runtime,
  declarations: ReadonlyMap<string, ParameterDeclaration>,
  trainable: (name: string) => boolean,
): ParameterStore {
  const entries = [...declarations].map(([name, declaration]) => ({
    name,
    declaration,
    length: declaration.shape.reduce((product, size) => product * size, 1),
    trainable: trainable(name),
  }));
  const sections = [
    entries.filter((entry) => entry.trainable && entry.declaration.decay),
    entries.filter((entry) => entry.trainable && !entry.declaration.decay),
    entries.filter((entry) => !entry.trainable),
  ];
  let end = 0;
  const bounds = sections.map((section) => {
    const start = end;
    const offsets = section.map((entry) => {
      const offset = end;
      end = Math.ceil((offset + entry.length) / alignment) * alignment;
      return offset;
    });
    return { start, end, offsets };
  });
  const trainedLength = bounds[1].end;
  const weights = runtime.allocate(end * bytesPerElement.float32);
  const gradients = trainedLength === 0 ? undefined : runtime.allocate(trainedLength * bytesPerElement.float32);
  const parameters = new Map<string, StoredParameter>();
  const stored = sections.map((section, index) =>
    section.map((entry, position): StoredParameter => {
      const offset = bounds[index].offsets[position];
      const at = (memory: Memory) => runtime.tensor(memory, offset * bytesPerElement.float32, "float32", entry.declaration.shape);
      return { ...entry, offset, tensor: at(weights), gradient: entry.trainable ? at(gradients!) : undefined };
    }),
  );
  for (const name of declarations.keys()) parameters.set(name, stored.flat().find((parameter) => parameter.name === name)!);
  const flatGradients = gradients === undefined ? undefined : runtime.tensor(gradients, 0, "float32", [trainedLength]);
  return {
    weights,
    gradients,
    parameters,
    groups: [true, false]
      .map((decay, index) => ({ decay, start: bounds[index].start, end: bounds[index].end, parameters: stored[index] }))
      .filter((group) => group.end > group.start),
    trainedLength,
    clearGradients: () => (flatGradients?.data as Float32Array | undefined)?.fill(0),
  };
}
