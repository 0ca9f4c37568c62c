/**
 * Which files of a model folder hold its weights: safetensors, in one file or in parts with an index, and where there are none what PyTorch
 * pickled, which is all that many older models have.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { containedFile } from "../files/plain-file.js";
import { openSafetensors } from "./safetensors-read.js";
import { indexFileName, openSharded, partFileName, singleFileName } from "./sharded.js";
import { openTorchFile } from "./torch-read.js";
import type { WeightSource } from "./weight-source.js";

interface WeightForm {
  /** The file that holds all of them. */
  readonly single: string;
  /** The file that says which part holds which tensor. */
  readonly index: string;
  readonly part: RegExp;
  readonly open: (file: string) => WeightSource;
}

/** In the order in which they are looked for. */
const forms: readonly WeightForm[] = [
  { single: singleFileName, index: indexFileName, part: partFileName, open: openSafetensors },
  {
    single: "pytorch_model.bin",
    index: "pytorch_model.bin.index.json",
    part: /^pytorch_model-\d{5}-of-\d{5}\.bin$/,
    open: openTorchFile,
  },
];

/** Names of the files that lead to weights, for messages. */
export const weightFileNames: readonly string[] = forms.flatMap(({ single, index }) => [single, index]);

/**
 * The file that leads to the weights.
 * @param has whether there is a file of this name
 * @returns its name, and whether it is the index of several others
 */
export function weightsEntry(has: (name: string) => boolean): { readonly name: string; readonly isIndex: boolean } | undefined {
  const name = weightFileNames.find(has);
  return name === undefined ? undefined : { name, isIndex: forms.some(({ index }) => index === name) };
}

/** Whether a file has one of the names that weights have, in whatever form. */
export function isWeightFile(name: string): boolean {
  return weightFileNames.includes(name) || forms.some(({ part }) => part.test(name));
}

/** Whether a folder holds a model's weights, in whatever form; an export does not count. */
export function hasWeights(folder: string): boolean {
  return weightsEntry((name) => existsSync(path.join(folder, name))) !== undefined;
}

/**
 * Opens the weights of a folder.
 * @returns undefined where it has none
 * @throws LecternError FILE_MISSING, FILE_OUTSIDE_FOLDER, CHECKPOINT_INDEX_CORRUPT, SAFETENSORS_CORRUPT, TORCH_CORRUPT, TORCH_REFUSED
 */
export function openWeights(folder: string): WeightSource | undefined {
  const entry = weightsEntry((name) => existsSync(path.join(folder, name)));
  if (entry === undefined) return undefined;
  const { open } = forms.find(({ single, index }) => entry.name === single || entry.name === index)!;
  return entry.isIndex ? openSharded(path.join(folder, entry.name), open) : open(containedFile(folder, entry.name, "the model's weights"));
}
