/**
 * Checkpoints cut into several files ("shards") with an index that says which tensor lies in which: the layout of
 * `model.safetensors.index.json` in Hugging Face folders, and of `pytorch_model.bin.index.json` before it. An index comes from whoever made the model, so its file names are not trusted: a
 * shard must lie in the index's own folder (`containedFile`).
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { LecternError } from "../errors.js";
import { containedFile, isPlainName, readContainedText } from "../files/plain-file.js";
import { describeValue } from "../text/describe-value.js";
import { findRepeatedKey } from "./json-keys.js";
import { missingTensor, type WeightSource } from "./weight-source.js";
import { tensorBytes, writeSafetensors, type TensorData } from "./safetensors-write.js";

/** The name of the weights of a folder that has one file. */
export const singleFileName = "model.safetensors";
export const indexFileName = "model.safetensors.index.json";
/** The names of its parts: model-00001-of-00002.safetensors. */
export const partFileName = /^model-\d{5}-of-\d{5}\.safetensors$/;
/** As Python's `save_pretrained` long did: 5 GB a file. */
export const defaultShardBytes = 5_000_000_000;

/** A hundred thousand tensors take ten. */
const longestIndex = 16 * 2 ** 20;

/** Which file each tensor lies in. */
export interface ShardIndex {
  weightMap: Map<string, string>;
  metadata: Record<string, unknown>;
}

/**
 * Checks the text of an index.
 * @param file its name, which says of what form the parts must be, for the error too
 * @throws LecternError CHECKPOINT_INDEX_CORRUPT
 */
export function parseShardIndex(file: string, text: string): ShardIndex {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (error) {
    throw indexCorrupt(file, "it is not JSON", "a JSON object", error instanceof Error ? error.message : undefined);
  }
  const weightMap = isObject(index) ? index["weight_map"] : undefined;
  if (!isObject(index) || !isObject(weightMap)) {
    throw indexCorrupt(file, "it has no weight_map", '{"weight_map": {"tensor": "file"}}', text.slice(0, 60));
  }
  const extension = file.endsWith(".bin.index.json") ? ".bin" : ".safetensors";
  const repeated = findRepeatedKey(text, 2);
  if (repeated !== undefined) throw indexCorrupt(file, `it has the key ${JSON.stringify(repeated)} twice`, "every name once");
  for (const [tensor, shard] of Object.entries(weightMap)) {
    if (!isPlainName(shard) || !shard.endsWith(extension)) {
      throw indexCorrupt(
        file,
        `tensor ${JSON.stringify(tensor)} points to what is not a file of this folder`,
        `the plain name of a ${extension} file`,
        describeValue(shard),
      );
    }
  }
  return {
    weightMap: new Map(Object.entries(weightMap as Record<string, string>)),
    metadata: isObject(index["metadata"]) ? index["metadata"] : {},
  };
}

/**
 * Reads an index.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, FILE_OUTSIDE_FOLDER, FILE_TOO_LARGE, CHECKPOINT_INDEX_CORRUPT
 */
export function readShardIndex(file: string): ShardIndex {
  const kind = { what: "the index of a sharded checkpoint", limit: longestIndex };
  return parseShardIndex(file, readContainedText(path.dirname(file), path.basename(file), kind));
}

/**
 * Opens a checkpoint of several files. The headers are read and compared with the index; tensors are read when asked for.
 * @param indexFile the path of a `*.index.json`
 * @param open opens one part
 * @throws LecternError FILE_MISSING, CHECKPOINT_INDEX_CORRUPT, and what `open` throws
 */
export function openSharded(indexFile: string, open: (file: string) => WeightSource): WeightSource {
  const folder = path.dirname(indexFile);
  const { weightMap } = readShardIndex(indexFile);
  const shards = new Map<string, WeightSource>();
  const close = (): void => shards.forEach((shard) => shard.close());
  try {
    for (const name of new Set(weightMap.values())) {
      shards.set(name, open(containedFile(folder, name, `a part of the checkpoint that ${indexFile} lists`)));
    }
    const held = new Map([...shards].map(([name, shard]) => [name, new Set(shard.names())]));
    for (const [tensor, name] of weightMap) {
      if (!held.get(name)!.has(tensor)) {
        throw indexCorrupt(indexFile, `tensor ${JSON.stringify(tensor)} is not in the file that it names`, `${tensor} in ${name}`);
      }
    }
  } catch (error) {
    close();
    throw error;
  }
  const shardOf = (tensor: string): WeightSource => {
    const name = weightMap.get(tensor);
    if (name === undefined) throw missingTensor(indexFile, tensor, [...weightMap.keys()]);
    return shards.get(name)!;
  };
  return {
    metadata: Object.assign({}, ...[...shards.values()].map((shard) => shard.metadata)) as Record<string, string>,
    names: () => [...weightMap.keys()],
    info: (name) => shardOf(name).info(name),
    readFloat32: (name, into) => shardOf(name).readFloat32(name, into),
    readRaw: (name) => shardOf(name).readRaw(name),
    close,
  };
}

/**
 * Writes weights into a folder: one `model.safetensors`, or, when they are larger than `maxShardBytes`, shards and their index.
 * The folder should be one that takes its place as a whole (`writeFolderAtomic`, `writeFilesAtomic`).
 * @returns the names of the files written
 */
export async function writeWeights(
  folder: string,
  tensors: Iterable<TensorData>,
  options: { maxShardBytes?: number; metadata?: Record<string, string> } = {},
): Promise<string[]> {
  const shards = cut([...tensors], options.maxShardBytes ?? defaultShardBytes);
  if (shards.length === 1) {
    await writeSafetensors(path.join(folder, singleFileName), shards[0], options.metadata);
    return [singleFileName];
  }
  const number = (value: number): string => String(value).padStart(5, "0");
  const names = shards.map((_, i) => `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`);
  const weightMap = new Map<string, string>(); // a tensor may be called __proto__
  let totalSize = 0;
  for (const [i, shard] of shards.entries()) {
    await writeSafetensors(path.join(folder, names[i]), shard, options.metadata);
    for (const tensor of shard) {
      weightMap.set(tensor.name, names[i]);
      totalSize += tensorBytes(tensor);
    }
  }
  const sorted = Object.fromEntries([...weightMap].sort(([a], [b]) => (a < b ? -1 : 1)));
  const index = { metadata: { total_size: totalSize }, weight_map: sorted };
  await writeFile(path.join(folder, indexFileName), `${JSON.stringify(index, null, 2)}\n`);
  return [...names, indexFileName];
}

/** Cuts in the order given: a shard is closed when the next tensor would make it too large. */
function cut(tensors: TensorData[], maxShardBytes: number): TensorData[][] {
  const shards: TensorData[][] = [[]];
  let size = 0;
  for (const tensor of tensors) {
    const bytes = tensorBytes(tensor);
    if (size > 0 && size + bytes > maxShardBytes) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1)!.push(tensor);
    size += bytes;
  }
  return shards;
}

function indexCorrupt(file: string, problem: string, expected: string, received?: string): LecternError {
  return new LecternError("CHECKPOINT_INDEX_CORRUPT", {
    message: `The index ${file} is not valid: ${problem}.`,
    expected,
    received,
    next: "Download or copy the whole model folder again.",
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
