/**
 * Model folders in the form that transformers reads and writes: config.json, the weights (`weight-files.ts`) and the tokenizer's files. What is
 * saved is safetensors. Saving keeps the previous model whole until the new one is; opening completes what a killed save had committed to.
 */
import { closeSync, existsSync, statSync } from "node:fs";
import { chmod, copyFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { LecternError } from "../errors.js";
import { recoverFolder, writeFilesAtomic, writeFolderAtomic } from "./atomic.js";
import type { TokenizerFile } from "../text/tokenizer-files.js";
import { configText, parseConfigText } from "./config-json.js";
import { containedFile, openPlainFile, readContainedText } from "../files/plain-file.js";
import type { TensorData } from "./safetensors-write.js";
import { indexFileName, partFileName, singleFileName, writeWeights } from "./sharded.js";
import { openWeights, weightFileNames } from "./weight-files.js";
import type { WeightSource } from "./weight-source.js";

export interface ModelFolder {
  folder: string;
  config: Record<string, unknown>;
  weights: WeightSource;
}

/** The largest of the hub's, with names of twenty thousand classes, take one. */
const longestConfig = 16 * 2 ** 20;

/** What a saved model is made of. */
export interface ModelContents {
  config: Record<string, unknown>;
  tensors: Iterable<TensorData>;
  /** Files copied as they are, or written with a text: `Tokenizer.files`, a licence. */
  files?: readonly TokenizerFile[];
  /** Weights larger than this are cut into several files. */
  maxShardBytes?: number;
}

/**
 * Opens a model folder. Close its `weights` when done.
 * @throws LecternError FILE_MISSING, MODEL_FOLDER_INCOMPLETE, MODEL_CONFIG_CORRUPT, SAFETENSORS_CORRUPT, CHECKPOINT_INDEX_CORRUPT,
 *   TORCH_CORRUPT, TORCH_REFUSED
 * @example
 * const { config, weights } = await openModelFolder("starter/minilm-l6");
 * const table = weights.readFloat32("embeddings.word_embeddings.weight");
 * weights.close();
 */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
  await recoverFolder(folder);
  const config = await readModelConfig(folder);
  const weights = openWeights(folder);
  if (weights === undefined) throw await withoutWeights(folder);
  return { folder, config, weights };
}

/**
 * The config.json of a model folder.
 * @throws LecternError FILE_MISSING, MODEL_FOLDER_INCOMPLETE, MODEL_CONFIG_CORRUPT
 */
export async function readModelConfig(folder: string): Promise<Record<string, unknown>> {
  const file = path.join(folder, "config.json");
  if (!existsSync(file)) throw withoutConfig(folder);
  return parseConfig(file, readConfigText(folder));
}

/** The text of a model folder's config.json. */
export function readConfigText(folder: string): string {
  return readContainedText(folder, "config.json", { what: "a model's configuration", limit: longestConfig });
}

/**
 * Saves a model. A folder that does not exist appears whole; one that exists (a training run's root) keeps its other files.
 * A kill at any moment leaves the previous model or the new one, each complete.
 * @throws LecternError DISK_FULL, FILE_NOT_WRITABLE; the previous model is then unchanged
 */
export async function saveModelFolder(folder: string, contents: ModelContents): Promise<void> {
  if (!existsSync(folder)) {
    await writeFolderAtomic(folder, async (temporary) => {
      await writeModelFiles(temporary, contents);
    });
    return;
  }
  const before = (await readdir(folder)).filter((name) => name === indexFileName || name === singleFileName || partFileName.test(name));
  // The old weights that the new ones will not overwrite go with them: which these are is known once the new are written.
  await writeFilesAtomic(
    folder,
    (temporary) => writeModelFiles(temporary, contents),
    (written) => before.filter((name) => !written.includes(name)),
  );
}

/**
 * Writes a model's files into a folder that is made as a whole: a checkpoint that also holds the optimizer's state, for example.
 * @returns the names of the files written
 */
export async function writeModelFiles(folder: string, contents: ModelContents): Promise<string[]> {
  await writeFile(path.join(folder, "config.json"), configText(contents.config));
  await writePlainFiles(folder, contents.files ?? []);
  const weights = await writeWeights(folder, contents.tensors, { maxShardBytes: contents.maxShardBytes });
  return ["config.json", ...(contents.files ?? []).map((file) => file.name), ...weights];
}

/** Copies or writes files into a folder: those of a tokenizer. */
export async function writePlainFiles(folder: string, files: readonly TokenizerFile[]): Promise<void> {
  for (const file of files) {
    const to = path.join(folder, file.name);
    await ("path" in file ? copyContained(path.dirname(file.path), path.basename(file.path), to) : writeFile(to, file.text));
  }
}

/** Copies the content of a model folder's file (`containedFile`), with ordinary permissions whatever the original's. */
export async function copyContained(folder: string, name: string, to: string): Promise<void> {
  const file = containedFile(folder, name, "a file of the model");
  closeSync(openPlainFile(file, "a file of the model").descriptor);
  await copyFile(file, to);
  await chmod(to, 0o644);
}

function parseConfig(file: string, text: string): Record<string, unknown> {
  let received = text.slice(0, 60);
  try {
    const config = parseConfigText(text);
    if (config) return config;
  } catch (error) {
    received = error instanceof Error ? error.message : received;
  }
  throw new LecternError("MODEL_CONFIG_CORRUPT", {
    message: `${file} is not a model's configuration.`,
    expected: "a JSON object",
    received,
    next: "Copy or download config.json again.",
  });
}

function withoutConfig(folder: string): LecternError {
  if (!existsSync(folder)) {
    return new LecternError("FILE_MISSING", {
      message: `There is no model folder ${folder}.`,
      next: "Check the path, or give a name on the Hugging Face Hub as ORGANISATION/NAME.",
    });
  }
  if (!statSync(folder).isDirectory()) return notAFolder(folder);
  return new LecternError("MODEL_FOLDER_INCOMPLETE", {
    message: `${folder} is not a model folder: it has no config.json.`,
    expected: "config.json, model.safetensors and tokenizer.json",
    next: "Give the folder that holds config.json; of a training run, its root or one of its checkpoint-N folders.",
  });
}

/** The error for a file in the place of a model's folder. */
export function notAFolder(file: string): LecternError {
  return new LecternError("MODEL_FOLDER_INCOMPLETE", {
    message: `${file} is not a folder.`,
    expected: "a folder with config.json, model.safetensors and tokenizer.json",
    next: `Give the folder that holds the model${/\.(safetensors|bin|onnx)$/.test(file) ? `: ${path.dirname(file)}` : ""}.`,
  });
}

async function withoutWeights(folder: string): Promise<LecternError> {
  const others = (await readdir(folder)).filter((name) => /\.(bin|pt|pth|ckpt|h5|msgpack|gguf|onnx|safetensors)$/.test(name));
  return new LecternError("MODEL_FOLDER_INCOMPLETE", {
    message: `${folder} has no weights that can be read.`,
    expected: `${weightFileNames.join(", ")}`,
    received: others.length > 0 ? others.slice(0, 5).join(", ") : "no weights of any form",
    next: "Use a version of the model in one of these forms; a checkpoint of PyTorch under another name can be called pytorch_model.bin.",
  });
}
