/**
 * The cache that Python's huggingface_hub keeps, file for file, so that what either downloads is found by the other:
 *
 *     HF_HUB_CACHE/models--ORG--NAME/refs/main              the commit that the branch pointed to
 *                                    blobs/<etag>           each content once; <etag>.incomplete while it is on its way
 *                                    snapshots/<commit>/f   a relative link to ../../blobs/<etag>
 *
 * and datasets--ORG--NAME for data sets (https://huggingface.co/docs/huggingface_hub/guides/manage-cache). Settings come from the environment variables that it reads.
 */
import { existsSync, readFileSync } from "node:fs";
import { copyFile, lstat, rename, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { writeFileAtomic } from "./atomic.js";
import { makeFolders } from "../files/make-folder.js";
import { systemCode } from "../files/system-errors.js";
import { readShardIndex } from "./sharded.js";
import { weightsEntry } from "./weight-files.js";
import { clearAbandoned, releaseTemporaryName, temporaryName } from "./temporary-names.js";

export interface HubSettings {
  /** HF_ENDPOINT, without a slash at its end. */
  endpoint: string;
  /** HF_TOKEN, or what `huggingface-cli login` saved. */
  token: string | undefined;
  /** HF_HUB_CACHE, or hub/ in HF_HOME. */
  cache: string;
  /** HF_HUB_OFFLINE. */
  offline: boolean;
  /** The wait before the first repetition of a failed request, in milliseconds; each further one waits twice as long. */
  retryDelay: number;
  /** How long a connection may be silent, in milliseconds. */
  idleTimeout: number;
}

/** A model or a data set on the hub. */
export interface HubRepository {
  kind: "model" | "dataset";
  /** ORGANISATION/NAME, or NAME alone for the oldest ones. */
  name: string;
  /** A branch, a tag or a commit. */
  revision: string;
}

export function hubSettings(environment: NodeJS.ProcessEnv = process.env): HubSettings {
  const cacheHome = environment["XDG_CACHE_HOME"] || path.join(homedir(), ".cache");
  const home = inHome(environment["HF_HOME"] || path.join(cacheHome, "huggingface"));
  const isOn = (name: string): boolean => ["1", "ON", "YES", "TRUE"].includes((environment[name] ?? "").toUpperCase());
  const token =
    environment["HF_TOKEN"] ||
    environment["HUGGING_FACE_HUB_TOKEN"] ||
    savedToken(environment["HF_TOKEN_PATH"] || path.join(home, "token"));
  return {
    endpoint: (environment["HF_ENDPOINT"] || "https://huggingface.co").replace(/\/+$/, ""),
    token: token?.trim() || undefined,
    cache: inHome(environment["HF_HUB_CACHE"] || environment["HUGGINGFACE_HUB_CACHE"] || path.join(home, "hub")),
    offline: isOn("HF_HUB_OFFLINE") || isOn("TRANSFORMERS_OFFLINE"),
    retryDelay: 500,
    idleTimeout: 30_000,
  };
}

function savedToken(file: string): string | undefined {
  try {
    return readFileSync(inHome(file), "utf8");
  } catch {
    return undefined; // nobody has logged in
  }
}

function inHome(folder: string): string {
  return folder === "~" || folder.startsWith("~/") ? path.join(homedir(), folder.slice(1)) : folder;
}

/** A repository's folder in the cache. */
export function cacheFolder({ cache }: HubSettings, { kind, name }: HubRepository): string {
  return path.join(cache, folderName({ kind, name }));
}

function folderName({ kind, name }: Pick<HubRepository, "kind" | "name">): string {
  return `${kind}s--${name.replaceAll("/", "--")}`;
}

/** Where the lock of a file on its way stands. */
export function lockFile(settings: HubSettings, repository: HubRepository, etag: string): string {
  return path.join(settings.cache, ".locks", folderName(repository), `${etag}.lectern.lock`);
}

export function blobFile(settings: HubSettings, repository: HubRepository, etag: string): string {
  return path.join(cacheFolder(settings, repository), "blobs", etag);
}

export function snapshotFolder(settings: HubSettings, repository: HubRepository, commit: string): string {
  return path.join(cacheFolder(settings, repository), "snapshots", commit);
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The commit that a revision pointed to when it was last asked for, as far as the cache knows. */
export function cachedCommit(settings: HubSettings, repository: HubRepository): string | undefined {
  if (isCommit(repository.revision)) return repository.revision;
  const reference = referenceFile(settings, repository);
  if (!existsSync(reference)) return undefined;
  const commit = readFileSync(reference, "utf8").trim();
  return isCommit(commit) ? commit : undefined;
}

/** The folder of a model that is wholly in the cache. */
export function cachedSnapshot(settings: HubSettings, model: HubRepository): string | undefined {
  const commit = cachedCommit(settings, model);
  if (commit === undefined) return undefined;
  const folder = snapshotFolder(settings, model, commit);
  return isWhole(folder) ? folder : undefined;
}

/** Whether a folder has a model's configuration and all its weights. (Downloads end with the weights, so the rest is there too.) */
export function isWhole(folder: string): boolean {
  const has = (name: string): boolean => existsSync(path.join(folder, name)); // false for a link to nothing
  if (has("adapter_config.json") && has("adapter_model.safetensors")) return true;
  if (!has("config.json")) return false;
  const weights = weightsEntry(has);
  if (weights === undefined || !weights.isIndex) return weights !== undefined;
  const { weightMap } = readShardIndex(path.join(folder, weights.name));
  return [...weightMap.values()].every(has);
}

/** Notes where a branch or tag points, for later use without the network. */
export async function saveReference(settings: HubSettings, repository: HubRepository, commit: string): Promise<void> {
  if (isCommit(repository.revision)) return;
  const reference = referenceFile(settings, repository);
  if (existsSync(reference) && readFileSync(reference, "utf8") === commit) return;
  await writeFileAtomic(reference, commit);
}

function referenceFile(settings: HubSettings, repository: HubRepository): string {
  return path.join(cacheFolder(settings, repository), "refs", ...repository.revision.split("/"));
}

/** Puts a blob into a snapshot: as a relative link, or as a copy where the system has no links (Windows without its developer mode). */
export async function linkBlob(blob: string, file: string): Promise<void> {
  await makeFolders(path.dirname(file));
  if (existsSync(file) && !(await lstat(file)).isSymbolicLink()) return; // Python keeps the file itself here on systems without links
  await clearAbandoned(file);
  const temporary = temporaryName(file);
  try {
    await symlink(path.relative(path.dirname(file), blob), temporary).catch(async (error: unknown) => {
      if (!["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "UNKNOWN"].includes(systemCode(error) ?? "")) throw error;
      await copyFile(blob, temporary);
    });
    await rename(temporary, file);
  } finally {
    releaseTemporaryName(temporary);
  }
}
