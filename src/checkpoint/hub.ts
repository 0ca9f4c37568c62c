/**
 * Where a model comes from: a folder on this machine, or a name on the Hugging Face Hub, downloaded into the cache that Python uses too.
 * Only the files that a model is made of are brought; what PyTorch pickled only where there are no other weights.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { LecternError } from "../errors.js";
import { nearest } from "../text/nearest.js";
import {
  cachedSnapshot,
  hubSettings,
  isCommit,
  linkBlob,
  saveReference,
  snapshotFolder,
  type HubRepository,
  type HubSettings,
} from "./hub-cache.js";
import { downloadBlob, type DownloadProgress } from "./hub-download.js";
import { type Listing, listFiles } from "./hub-listing.js";
import { parseRepositoryName } from "./hub-names.js";
import type { HubContext } from "./hub-request.js";
import { notAFolder } from "./model-folder.js";
import { readShardIndex } from "./sharded.js";
import { weightFileNames, weightsEntry } from "./weight-files.js";

export interface ResolveOptions {
  /** A branch, tag or commit, where the name itself has no @REVISION. Default: main. */
  revision?: string;
  onProgress?: DownloadProgress;
  signal?: AbortSignal;
}

export interface DownloadOptions extends ResolveOptions {
  /** Default: from the environment (HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE). */
  settings?: HubSettings;
}

/**
 * The folder of a model: the one named, if it exists, else ORGANISATION/NAME[@REVISION] from the hub or its cache.
 * @throws LecternError FILE_MISSING, MODEL_FOLDER_INCOMPLETE, HUB_NAME, and the errors of `downloadModel`
 * @example const folder = await resolveModel("distilbert-base-uncased");
 */
export async function resolveModel(nameOrFolder: string, options: ResolveOptions = {}): Promise<string> {
  if (existsSync(nameOrFolder)) {
    if (!statSync(nameOrFolder).isDirectory()) throw notAFolder(nameOrFolder);
    return nameOrFolder;
  }
  const parsed = parseRepositoryName("model", nameOrFolder, options.revision);
  if ((!parsed || looksLikePath(nameOrFolder)) && !(parsed && cachedSnapshot(hubSettings(), parsed))) {
    const similar = nearestFolder(nameOrFolder);
    const isRun = /^runs[\\/]/.test(nameOrFolder);
    const path = similar !== undefined ? `Did you mean ${similar}?` : isRun ? "A training makes it: run that first, or check the path." : "Check the path.";
    throw new LecternError("FILE_MISSING", {
      message: `There is no model folder ${nameOrFolder}.`,
      expected: "a folder, or ORGANISATION/NAME[@REVISION] on the Hugging Face Hub",
      next: parsed ? `${path} For the model of that name on the hub, write ${nameOrFolder}@main.` : path,
    });
  }
  return downloadModel(nameOrFolder, options);
}

/** The name on the hub that `resolveModel` would take a text for, without its revision; undefined for a folder and what looks like a path. */
export function hubName(nameOrFolder: string): string | undefined {
  if (existsSync(nameOrFolder) || looksLikePath(nameOrFolder)) return undefined;
  return parseRepositoryName("model", nameOrFolder)?.name;
}

/** Folders that models are usually kept in; nobody on the hub who publishes models is called so. */
const usualFolders = /^(runs|out|outputs?|results|models?|checkpoints?|starter|recipes|data|tmp|exports?|exported)[\\/]/i;

/** "runs/quickstart" looks like a name on the hub, but is a path; so is what stands beside a folder that exists, and a checkpoint. */
function looksLikePath(name: string): boolean {
  if (name.includes("@")) return false;
  const parent = path.dirname(name);
  const besideOthers = parent !== "." && existsSync(parent) && statSync(parent).isDirectory();
  return besideOthers || usualFolders.test(name) || /[\\/]checkpoint-\d+$/.test(name);
}

/** A folder of almost the same name beside it. */
function nearestFolder(name: string): string | undefined {
  const parent = path.dirname(name);
  try {
    const folders = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
    const similar = nearest(path.basename(name), folders.map((entry) => entry.name));
    return similar === undefined ? undefined : path.join(parent, similar);
  } catch {
    return undefined; // the parent is not there, or may not be looked into
  }
}

/**
 * Brings a model from the hub into the cache; what is there already is not fetched again.
 * Without a network, or with HF_HUB_OFFLINE, the copy in the cache serves, if it is whole.
 * @returns the folder of the snapshot, named after the commit
 * @throws LecternError HUB_NAME, HUB_OFFLINE, HUB_UNREACHABLE, HUB_NOT_FOUND, HUB_UNAUTHORIZED, HUB_FORBIDDEN, HUB_CHECKSUM, HUB_NO_WEIGHTS,
 *   DISK_FULL, FILE_NOT_WRITABLE
 */
export async function downloadModel(name: string, options: DownloadOptions = {}): Promise<string> {
  const model = parseRepositoryName("model", name, options.revision);
  if (!model) {
    throw new LecternError("HUB_NAME", {
      message: `${JSON.stringify(name)} is not the name of a model on the hub.`,
      expected: "ORGANISATION/NAME or ORGANISATION/NAME@REVISION",
      next: "Copy the name from the top of the model's page.",
    });
  }
  const settings = options.settings ?? hubSettings();
  const context: HubContext = { settings, repository: model, signal: options.signal };
  const cached = cachedSnapshot(settings, model);
  // A commit never changes; but Python may have brought its weights without the tokenizer.
  if (cached !== undefined && (settings.offline || (isCommit(model.revision) && hasTokenizer(cached)))) return cached;
  if (settings.offline) {
    throw new LecternError("HUB_OFFLINE", {
      message: `${model.name} (${model.revision}) is not in the cache, and HF_HUB_OFFLINE forbids asking the hub.`,
      expected: `a whole copy under ${settings.cache}`,
      next: "Unset HF_HUB_OFFLINE, or download the model first: lectern pull NAME.",
    });
  }
  let listing: Listing;
  try {
    listing = await listFiles(context, cached === undefined ? undefined : 1);
  } catch (error) {
    if (cached !== undefined && error instanceof LecternError && error.code === "HUB_UNREACHABLE") return cached;
    throw error;
  }
  return download(context, listing, options.onProgress);
}

/** Files wanted of any model, where it has them; weights come on top. */
const wanted =
  /^(config|generation_config|special_tokens_map|added_tokens|adapter_config|vocab|tokenizer[\w.-]*)\.json$|^(vocab\.txt|spm\.model|merges\.txt|chat_template\.jinja|README\.md)$/;

async function download(context: HubContext, { commit, files }: Listing, onProgress?: DownloadProgress): Promise<string> {
  const { settings, repository } = context;
  const folder = snapshotFolder(settings, repository, commit);
  const bring = async (file: string): Promise<void> => {
    if (existsSync(path.join(folder, file))) return;
    await linkBlob(await downloadBlob(context, commit, file, onProgress), path.join(folder, file));
  };
  const adapter = files.find((name) => name === "adapter_model.safetensors");
  const weights = weightsEntry((name) => files.includes(name));
  if (weights === undefined && adapter === undefined) throw noWeights(repository, files);
  // Weights come last: a snapshot that has them has all else.
  for (const file of files) if (wanted.test(file)) await bring(file);
  if (weights !== undefined && !(weights.isIndex && adapter !== undefined)) {
    await bring(weights.name);
    const parts = weights.isIndex ? readShardIndex(path.join(folder, weights.name)).weightMap.values() : [];
    for (const part of new Set(parts)) await bring(part);
  }
  if (adapter !== undefined) await bring(adapter);
  await saveReference(settings, repository, commit);
  return folder;
}

function hasTokenizer(folder: string): boolean {
  return ["tokenizer.json", "vocab.txt", "spm.model"].some((name) => existsSync(path.join(folder, name)));
}

function noWeights({ name, revision }: HubRepository, files: string[]): LecternError {
  const others = files.filter((file) => /\.(bin|pt|pth|h5|msgpack|gguf|onnx|safetensors)$/.test(file));
  return new LecternError("HUB_NO_WEIGHTS", {
    message: `${name} (${revision}) has no weights in a form that can be read.`,
    expected: weightFileNames.join(", "),
    received: others.length > 0 ? others.slice(0, 5).join(", ") : "no weights",
    next: "Look for another revision (many models have refs/pr/N with safetensors) or a converted copy of the model.",
  });
}
