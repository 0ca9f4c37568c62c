/**
 * A model folder to the hub: the repository is made if it is not there, each file is asked about (`preupload`: does the hub hold it, is it large), large
 * ones go to the hub's storage, and one commit names all that differs. Until then the repository is as it was, so a push can be stopped
 * anywhere and made again: what came whole is not sent twice.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import { z } from "zod";
import { LecternError } from "../errors.js";
import { readContainedText } from "../files/plain-file.js";
import { hubSettings, isCommit, type HubSettings } from "./hub-cache.js";
import { answered, sendLargeFile, type UploadProgress } from "./hub-large-files.js";
import { listFiles } from "./hub-listing.js";
import { openRepository, type OpenedRepository, repositoryToPush, sendingContext } from "./hub-repository.js";
import { answeredJson, apiOf, hubFetch, pageOf, pauseBefore, usualAttempts, type HubContext } from "./hub-request.js";
import { readModelConfig } from "./model-folder.js";
import { publishedFiles, type PublishedFile } from "./published-files.js";
import { bareCard, mayNamePaths, publishedText } from "./published-text.js";
import { SteadyFile } from "./steady-file.js";

export interface PushOptions {
  /** A branch, made from main where it is not there. Default: main. */
  revision?: string;
  /** Of the repository, where it is made. Default: true. */
  private?: boolean;
  /** Whether nothing is sent to a repository that is there and public. Default: false, and it is told. */
  mustBePrivate?: boolean;
  /** Of the commit. */
  message?: string;
  /** Patterns (`*`, `**`, `?`, `{a,b}`) on paths of files that go beside those that usually do. */
  include?: readonly string[];
  onProgress?: UploadProgress;
  onNote?: (line: string) => void;
  signal?: AbortSignal;
  /** Default: from the environment (HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE). */
  settings?: HubSettings;
}

export interface PushReport {
  /** ORGANISATION/NAME */
  readonly model: string;
  readonly revision: string;
  readonly url: string;
  /** The newest commit of the revision; the one made, unless all was there. */
  readonly commit: string;
  readonly created: boolean;
  readonly private: boolean;
  /** Paths of all files that the folder publishes, and of those what this push changed on the hub. */
  readonly files: readonly string[];
  readonly changed: readonly string[];
  /** Bytes of content that were sent; a large file that the hub's storage held is not among them. */
  readonly bytesSent: number;
}

/** A file to publish, with its size and a way to its content. */
export interface PlannedFile extends PublishedFile {
  readonly bytes: number;
  /** Paths of this machine were taken out of it. */
  readonly edited: boolean;
  /** Its text, of those that are edited or written for the hub. */
  readonly text?: string;
}

export interface PushPlan {
  readonly files: readonly PlannedFile[];
  readonly leftOut: readonly string[];
}

const longestText = 64 * 2 ** 20;

/**
 * What a push of a folder would send; asks nobody.
 * @throws LecternError FILE_MISSING, MODEL_FOLDER_INCOMPLETE, CHECKPOINT_INDEX_CORRUPT, FILE_OUTSIDE_FOLDER, FILE_TOO_LARGE, HUB_REFUSED, HUB_NOTHING_ASKED
 * @example
 * const { files } = await planPush("runs/quickstart");
 */
export async function planPush(folder: string, { include }: Pick<PushOptions, "include"> = {}): Promise<PushPlan> {
  const { files, leftOut } = await publishedFiles(folder, include);
  const planned: PlannedFile[] = [];
  for (const file of files) {
    if (mayNamePaths(file.path)) {
      const before = readContainedText(folder, file.path, { what: "a file to publish", limit: longestText });
      const text = publishedText(file.path, before);
      planned.push({ ...file, bytes: Buffer.byteLength(text), edited: text !== before, text });
    } else {
      const content = await SteadyFile.open(path.join(folder, file.path));
      planned.push({ ...file, bytes: content.bytes, edited: false });
      await content.close();
    }
  }
  if (!files.some((file) => file.path === "README.md")) {
    const config = files.some((file) => file.path === "config.json") ? await readModelConfig(folder) : {};
    const text = bareCard(path.basename(path.resolve(folder)), config["architectures"]);
    planned.unshift({ path: "README.md", kind: "card", bytes: Buffer.byteLength(text), edited: false, text });
  }
  return { files: planned, leftOut };
}

/**
 * Sends a model folder to the hub.
 * @param name ORGANISATION/NAME, or NAME among one's own
 * @throws LecternError those of `planPush`; HUB_NAME, HUB_OFFLINE, HUB_UNREACHABLE, HUB_NOT_FOUND, HUB_UNAUTHORIZED, HUB_FORBIDDEN, HUB_REFUSED,
 *   HUB_FILE_CHANGED
 * @example
 * const { url, commit } = await pushModel("runs/quickstart", "ORG/NAME");
 */
export async function pushModel(folder: string, name: string, options: PushOptions = {}): Promise<PushReport> {
  const { onNote = () => undefined, onProgress } = options;
  const settings = options.settings ?? hubSettings();
  const { files } = await planPush(folder, options);
  const repository = await repositoryToPush(settings, name, options);
  const context = sendingContext(settings, repository, options.signal);
  const opened = await openRepository(context, options.private ?? true);
  if (options.mustBePrivate && !opened.private) throw isPublic(repository.name);
  for (const line of notes(opened, repository.name, options.private ?? true)) onNote(line);
  const edited = files.filter((file) => file.edited).map((file) => file.path);
  if (edited.length > 0) onNote(`paths of this machine are left out of ${edited.join(", ")}`);

  const contents: Content[] = [];
  try {
    for (const file of files) contents.push(await openContent(folder, file));
    const { commit, changed, bytesSent } = await bring(context, contents, options.message ?? "Upload with Lectern", onProgress);
    return {
      model: repository.name,
      revision: repository.revision,
      url: `${pageOf(context)}${repository.revision === "main" ? "" : `/tree/${encodeURIComponent(repository.revision)}`}`,
      commit,
      created: opened.created,
      private: opened.private,
      files: files.map((file) => file.path),
      changed,
      bytesSent,
    };
  } finally {
    for (const { file } of contents) await file?.close();
  }
}

function isPublic(name: string): LecternError {
  return new LecternError("HUB_REFUSED", {
    message: `${name} is public on the hub, and was to be private; nothing was sent.`,
    next: "Make it private in the settings of its page, or choose another name.",
  });
}

function notes({ created, private: isPrivate }: OpenedRepository, name: string, asked: boolean): string[] {
  if (created || isPrivate === asked) return [];
  return [`${name} was there already and is ${isPrivate ? "private" : "public"}; whether it is, is set on its page`];
}

/** A file's content: in memory, or read from the disk. */
interface Content {
  readonly path: string;
  readonly bytes: number;
  readonly text?: string;
  readonly file?: SteadyFile;
}

async function openContent(folder: string, { path: name, text, bytes }: PlannedFile): Promise<Content> {
  if (text !== undefined) return { path: name, bytes, text };
  const file = await SteadyFile.open(path.join(folder, name));
  return { path: name, bytes: file.bytes, file };
}

/** Sends what the hub lacks, and commits it. A commit whose answer was lost is recognised by the hub having the files. */
async function bring(
  context: HubContext,
  contents: readonly Content[],
  message: string,
  onProgress?: UploadProgress,
): Promise<Pick<PushReport, "commit" | "changed" | "bytesSent">> {
  const digests = new Map<Content, Digests>();
  let bytesSent = 0;
  let changed: string[] = [];
  for (let attempt = 1; ; attempt++) {
    const operations: CommitLine[] = [];
    for (const { content, isLarge, oid } of await askAbout(context, contents)) {
      const known = digests.get(content) ?? (await digestsOf(content));
      digests.set(content, known);
      if (oid === (isLarge ? known.sha256 : known.git)) continue;
      if (isLarge) {
        const large = { path: content.path, content: content.file!, sha256: known.sha256 };
        if (attempt === 1 && (await sendLargeFile(context, large, onProgress))) bytesSent += content.bytes;
        operations.push({ key: "lfsFile", value: { path: content.path, algo: "sha256", oid: known.sha256, size: content.bytes } });
      } else {
        const bytes = await wholeContent(content);
        if (attempt === 1) bytesSent += bytes.length;
        operations.push({ key: "file", value: { path: content.path, encoding: "base64", content: bytes.toString("base64") } });
      }
    }
    if (attempt === 1) changed = operations.map(({ value }) => value.path);
    if (operations.length === 0) return { commit: (await listFiles(context)).commit, changed, bytesSent };
    const commit = await tryCommit(context, message, operations, attempt);
    if (commit === undefined) {
      await pauseBefore(context, attempt);
      continue;
    }
    for (const { value } of operations.filter(({ key }) => key === "file"))
      onProgress?.({ file: value.path, sent: sizeOf(contents, value.path), total: sizeOf(contents, value.path) });
    return { commit, changed, bytesSent };
  }
}

const sizeOf = (contents: readonly Content[], name: string): number => contents.find((content) => content.path === name)!.bytes;

interface Digests {
  sha256: string;
  /** SHA-1 of a git blob. */
  git: string;
}

async function digestsOf(content: Content): Promise<Digests> {
  const sha256 = createHash("sha256");
  const git = createHash("sha1").update(`blob ${content.bytes}\0`);
  for await (const piece of piecesOf(content)) {
    sha256.update(piece);
    git.update(piece);
  }
  await content.file?.requireSame();
  return { sha256: sha256.digest("hex"), git: git.digest("hex") };
}

async function* piecesOf({ text, file }: Content): AsyncGenerator<Uint8Array> {
  if (file !== undefined) yield* file.read();
  else yield Buffer.from(text!);
}

async function wholeContent(content: Content): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(content)) pieces.push(piece);
  await content.file?.requireSame();
  return Buffer.concat(pieces);
}

const preuploadAnswer = z.object({
  files: z.array(
    z.object({ path: z.string(), uploadMode: z.enum(["lfs", "regular"]), shouldIgnore: z.boolean().optional(), oid: z.string().nullish() }),
  ),
});

/** What the hub has of each file, by the checksum of its kind, and whether it takes it as a large one. */
async function askAbout(context: HubContext, contents: readonly Content[]): Promise<{ content: Content; isLarge: boolean; oid?: string }[]> {
  const files = [];
  for (const content of contents) {
    const { value: first } = await piecesOf(content).next();
    files.push({ path: content.path, size: content.bytes, sample: Buffer.from(first ?? []).subarray(0, 512).toString("base64") });
  }
  const url = `${apiOf(context)}/preupload/${encodeURIComponent(context.repository.revision)}`;
  const headers = { "content-type": "application/json" };
  const answer = answered(
    context,
    preuploadAnswer,
    await answeredJson(context, await hubFetch(context, url, { method: "POST", headers, body: JSON.stringify({ files }) })),
  );
  return contents.flatMap((content) => {
    const found = answer.files.find((file) => file.path === content.path);
    if (found?.shouldIgnore) return [];
    const isLarge = found?.uploadMode === "lfs" && content.bytes > 0; // storage takes no empty files
    return [{ content, isLarge, oid: found?.oid ?? undefined }];
  });
}

type CommitLine =
  | { key: "file"; value: { path: string; encoding: "base64"; content: string } }
  | { key: "lfsFile"; value: { path: string; algo: "sha256"; oid: string; size: number } };

const commitAnswer = z.object({ commitOid: z.string().refine(isCommit) });

/** @returns the commit, or undefined where it may or may not have been made: the hub is asked, then, what it has */
async function tryCommit(context: HubContext, message: string, lines: readonly CommitLine[], attempt: number): Promise<string | undefined> {
  const url = `${apiOf(context)}/commit/${encodeURIComponent(context.repository.revision)}`;
  const headers = { "content-type": "application/x-ndjson" };
  const body = [{ key: "header", value: { summary: message, description: "" } }, ...lines].map((line) => JSON.stringify(line)).join("\n");
  try {
    const response = await hubFetch(context, url, { method: "POST", headers, body, attempts: 1, answers: attempt < usualAttempts ? [409, 412] : [] });
    if (response.status < 400) return answered(context, commitAnswer, await answeredJson(context, response)).commitOid;
    await response.body?.cancel(); // somebody else commits at the same time
  } catch (error) {
    if (attempt >= usualAttempts || !(error instanceof LecternError) || error.code !== "HUB_UNREACHABLE") throw error;
  }
  return undefined;
}
