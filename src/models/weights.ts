/**
 * Weights of a checkpoint into the parameters of a network. Which tensor is which parameter, `matchWeights` finds; a head that the checkpoint
 * does not hold is initialised from the seed.
 */
import { totalmem } from "node:os";
import type { WeightSource } from "../checkpoint/safetensors.js";
import type { ParameterDeclaration } from "../engine/block/block.js";
import type { ParameterStore, StoredParameter } from "../engine/index.js";
import { randomGenerator } from "../engine/random.js";
import { LecternError } from "../errors.js";
import { matchWeights } from "./weight-names.js";

/** What of a network and of a checkpoint has no counterpart in the other. */
export interface WeightNames {
  /** Parameters that the checkpoint does not hold: they are initialised from the seed. */
  readonly missing: readonly string[];
  /** Tensors of the checkpoint that the network does not use. */
  readonly unused: readonly string[];
  /** Paths before the checkpoint's names that were taken off: `module.`. */
  readonly wrappers: readonly string[];
}

/**
 * Checks, before anything is allocated or read, that a network can be filled: the sizes stand in a config.json that anyone may have written.
 * @param prefix path under which full models hold the encoder (`bert.`)
 * @throws LecternError WEIGHTS_UNMATCHED where the checkpoint lacks a part of the encoder, WEIGHT_SHAPE_MISMATCH where a tensor's shape is not
 *   the network's, BAD_MODEL_CONFIG where no memory holds the network
 */
export function checkWeights(declarations: ReadonlyMap<string, ParameterDeclaration>, source: WeightSource, prefix: string): WeightNames {
  const available = source.names();
  const { tensors, wrappers } = matchWeights(declarations.keys(), available, prefix);
  const missing: string[] = [];
  let bytes = 0;
  for (const [name, { shape }] of declarations) {
    const tensor = tensors.get(name);
    if (tensor === undefined) missing.push(name);
    else checkShape(tensor, shape, source);
    bytes += shape.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT);
  }
  const used = new Set(tensors.values());
  if (bytes <= totalmem()) return { missing, unused: available.filter((name) => !used.has(name)), wrappers };
  throw new LecternError("BAD_MODEL_CONFIG", {
    message: "The model that config.json describes is larger than this machine's memory.",
    expected: `at most ${gigabytes(totalmem())} of weights`,
    received: gigabytes(bytes),
    next: "check the sizes in config.json, or use a machine with more memory",
  });
}

/**
 * Fills every parameter of the store: from the checkpoint, or from the seed what it does not hold.
 * @throws LecternError WEIGHTS_UNMATCHED, WEIGHT_SHAPE_MISMATCH as `checkWeights`
 */
export function loadWeights(store: ParameterStore, source: WeightSource, options: { prefix: string; seed: number }): void {
  const { tensors } = matchWeights(store.parameters.keys(), source.names(), options.prefix);
  for (const parameter of store.parameters.values()) {
    const tensor = tensors.get(parameter.name);
    const data = parameter.tensor.data as Float32Array;
    if (tensor === undefined) {
      initialise(data, parameter, options.seed);
      continue;
    }
    checkShape(tensor, parameter.declaration.shape, source);
    source.readFloat32(tensor, data);
  }
}

/** Fills every parameter of the store from the seed, as those of a model that nobody has trained. */
export function freshWeights(store: ParameterStore, seed: number): void {
  for (const parameter of store.parameters.values()) initialise(parameter.tensor.data as Float32Array, parameter, seed);
}

/** Each parameter draws from a stream of its own: what it gets does not depend on which others are missing. */
function initialise(data: Float32Array, { name, declaration }: StoredParameter, seed: number): void {
  const { initialise: how } = declaration;
  if (how.kind !== "normal") {
    data.fill(how.kind === "ones" ? 1 : 0);
    return;
  }
  const random = randomGenerator(
    seed,
    [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.codePointAt(0)!) | 0, 17),
  );
  for (let i = 0; i < data.length; i++) data[i] = random.normal() * how.deviation;
}

function checkShape(tensor: string, expected: readonly number[], source: WeightSource): void {
  const { shape } = source.info(tensor);
  if (shape.join() === expected.join()) return;
  throw new LecternError("WEIGHT_SHAPE_MISMATCH", {
    message: `The checkpoint's ${tensor} does not fit the model that its config.json describes.`,
    expected: `shape [${expected.join(", ")}]`,
    received: `shape [${shape.join(", ")}]`,
    next: "check that config.json and the weights belong to the same model",
  });
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toPrecision(3)} GB`;
}
