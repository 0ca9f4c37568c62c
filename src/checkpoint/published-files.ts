/**
 * Which files of a model folder are for others to have: the model, its tokenizer, ONNX files, the card and the results. What belongs to a training
 * (checkpoints, the optimizer's state, locks, logs) and whatever else somebody keeps there stays on this machine.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { LecternError } from "../errors.js";
import { matchesGlob } from "../files/path-glob.js";
import { containedFile } from "../files/plain-file.js";
import { notAFolder } from "./model-folder.js";
import { readShardIndex } from "./sharded.js";
import { isWeightFile, weightFileNames, weightsEntry } from "./weight-files.js";

/** What a published file is, in the order in which they are listed. */
export const publishedKinds = ["card", "model", "tokenizer", "onnx", "results", "asked for"] as const;
export type PublishedKind = (typeof publishedKinds)[number];

export interface PublishedFile {
  /** Its path in the folder and on the hub, with slashes. */
  readonly path: string;
  readonly kind: PublishedKind;
}

export interface PublishedFolder {
  readonly files: readonly PublishedFile[];
  /** Names in the folder that do not go, folders with a slash at their end. */
  readonly leftOut: readonly string[];
}

const kinds: readonly (readonly [RegExp, PublishedKind])[] = [
  [/^(README\.md|LICENSE(\.(md|txt))?|NOTICE(\.txt)?)$/, "card"],
  [/^(config|generation_config|adapter_config)\.json$/, "model"],
  [/^adapter_model\.safetensors$/, "model"],
  [/^(tokenizer[\w.-]*|vocab|special_tokens_map|added_tokens)\.json$/, "tokenizer"],
  [/^(vocab\.txt|merges\.txt|(spm|spiece|tokenizer)\.model|sentencepiece\.bpe\.model|chat_template\.jinja)$/, "tokenizer"],
  [/^(onnx\/)?[\w.-]+\.onnx(_data|_data_\d+|\.data)?$/, "onnx"],
  [/^((all|train|eval)_results|trainer_state|export_report)\.json$|^recipe\.yaml$/, "results"],
];

/** Never published, whatever is asked for: locks, and files that are being written. */
const passing = /(^|\/)(\.lectern-lock|[^/]*\.lock|\.[^/]*\.partial)(\/|$)/;

/**
 * The files of a model folder that are published.
 * @param asked patterns (`*`, `**`, `?`, `{a,b}`) on paths in the folder, of files that go with them
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, MODEL_FOLDER_INCOMPLETE, CHECKPOINT_INDEX_CORRUPT, FILE_OUTSIDE_FOLDER, HUB_NOTHING_ASKED
 * @example
 * const { files, leftOut } = await publishedFiles("runs/quickstart");
 */
export async function publishedFiles(folder: string, asked: readonly string[] = []): Promise<PublishedFolder> {
  if (!existsSync(folder)) {
    throw new LecternError("FILE_MISSING", { message: `There is no model folder ${folder}.`, next: "Check the path." });
  }
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => {
    throw notAFolder(folder);
  });
  const names = entries.map(({ name }) => name).sort();
  const onnx = names.includes("onnx") ? (await readdir(path.join(folder, "onnx"))).sort().map((name) => `onnx/${name}`) : [];
  const weights = weightsOf(folder);
  for (const name of weights) containedFile(folder, name, "weights of the model");
  const files: PublishedFile[] = [];
  const leftOut: string[] = [];
  for (const name of [...names.filter((one) => one !== "onnx"), ...onnx]) {
    const kind = weights.includes(name) ? "model" : isWeightFile(name) ? undefined : kinds.find(([pattern]) => pattern.test(name))?.[1];
    if (kind !== undefined) {
      containedFile(folder, name, "a file to publish");
      files.push({ path: name, kind });
    } else leftOut.push(entries.some((entry) => entry.name === name && entry.isDirectory()) ? `${name}/` : name);
  }
  requireModel(folder, files, names);
  for (const name of await askedFiles(folder, asked)) {
    if (files.some((file) => file.path === name)) continue;
    containedFile(folder, name, "a file to publish");
    files.push({ path: name, kind: "asked for" });
    if (leftOut.includes(name)) leftOut.splice(leftOut.indexOf(name), 1);
  }
  files.sort((one, other) => publishedKinds.indexOf(one.kind) - publishedKinds.indexOf(other.kind));
  return { files, leftOut };
}

/** Paths of the files that the patterns fit. */
async function askedFiles(folder: string, patterns: readonly string[]): Promise<string[]> {
  if (patterns.length === 0) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
    .filter((name) => !passing.test(name))
    .sort();
  const fits = patterns.map((pattern) => paths.filter((name) => matchesGlob(pattern, name)));
  const vain = fits.findIndex((found) => found.length === 0);
  if (vain >= 0) {
    throw new LecternError("HUB_NOTHING_ASKED", {
      message: `${folder} has no file ${patterns[vain]}.`,
      expected: "the path of a file in the folder, or a pattern such as checkpoint-100/**",
      received: paths.slice(0, 8).join(", "),
      next: "See with --dry-run what is there.",
    });
  }
  return [...new Set(fits.flat())];
}

/** The files of the weights that a reader of the folder would open; others, as the shards of an earlier save, are not the model. */
function weightsOf(folder: string): string[] {
  const entry = weightsEntry((name) => existsSync(path.join(folder, name)));
  if (entry === undefined) return [];
  return [entry.name, ...(entry.isIndex ? readShardIndex(path.join(folder, entry.name)).weightMap.values() : [])];
}

function requireModel(folder: string, files: readonly PublishedFile[], names: readonly string[]): void {
  const has = (name: string): boolean => files.some((file) => file.path === name);
  const hasModel = has("adapter_model.safetensors") || files.some(({ path: name, kind }) => kind === "onnx" || (kind === "model" && isWeightFile(name)));
  if (hasModel && (has("config.json") || has("adapter_config.json"))) return;
  const newest = names
    .filter((name) => /^checkpoint-\d+$/.test(name))
    .sort((one, other) => Number(one.slice(11)) - Number(other.slice(11)))
    .at(-1);
  throw new LecternError("MODEL_FOLDER_INCOMPLETE", {
    message: `${folder} is not a model folder.`,
    expected: `config.json, and weights (${weightFileNames.join(", ")}) or an ONNX file`,
    received: names.slice(0, 8).join(", ") || "an empty folder",
    next:
      newest === undefined
        ? "Name the folder that a training, an export or a conversion wrote."
        : `The training has not ended: let it, or name a checkpoint: ${path.join(folder, newest)}.`,
  });
}
