/**
 * One file from the hub into the cache: resumed where a broken connection left it, checked against the hub's checksum, and only then given
 * its name. The checksum is the file's ETag: of large files (LFS) their SHA-256, of small ones the SHA-1 of a git blob.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { LecternError } from "../errors.js";
import { withFileLock } from "./file-lock.js";
import { makeFolders } from "../files/make-folder.js";
import { isPlainName } from "../files/plain-file.js";
import { writingError } from "../files/system-errors.js";
import { blobFile, lockFile } from "./hub-cache.js";
import { beforeSilence, hubFetch, pageOf, pauseBefore, unreachable, usualAttempts, type HubContext } from "./hub-request.js";

/** Told as a download goes on; `total` is undefined when the hub does not say the size. */
export type DownloadProgress = (event: { file: string; received: number; total?: number }) => void;

interface RemoteFile {
  file: string;
  url: string;
  etag: string;
  size: number | undefined;
}

const longestRedirection = 5;

/**
 * Brings a file of a commit into the cache's blobs, unless it is there.
 * @returns the path of the blob
 * @throws LecternError HUB_CHECKSUM, HUB_UNREACHABLE and the other errors of requests; DISK_FULL
 */
export async function downloadBlob(context: HubContext, commit: string, file: string, onProgress?: DownloadProgress): Promise<string> {
  const remote = await describe(context, commit, file);
  const blob = blobFile(context.settings, context.repository, remote.etag);
  const isThere = async (): Promise<boolean> => existsSync(blob) && (remote.size === undefined || (await stat(blob)).size === remote.size);
  if (!(await isThere())) {
    try {
      await makeFolders(path.dirname(blob));
      await withFileLock(lockFile(context.settings, context.repository, remote.etag), context.signal, async () => {
        if (!(await isThere())) await fetchBlob(context, remote, blob, onProgress); // another process may have brought it meanwhile
      });
    } catch (error) {
      throw writingError(error, blob);
    }
  }
  const { size } = await stat(blob);
  onProgress?.({ file, received: size, total: size });
  return blob;
}

/** Asks for a file's checksum and size. For large files both come with the redirection to where the content lies. */
async function describe(context: HubContext, commit: string, file: string): Promise<RemoteFile> {
  const url = `${pageOf(context)}/resolve/${commit}/${file.split("/").map(encodeURIComponent).join("/")}`;
  let place = url;
  for (let hop = 0; hop < longestRedirection; hop++) {
    const response = await hubFetch(context, place, { method: "HEAD", redirect: "manual" });
    const location = response.headers.get("location");
    if (response.status >= 300 && location?.startsWith("/") && !response.headers.has("x-linked-etag")) {
      place = new URL(location, place).href; // a renamed model, or another place on the hub itself
      continue;
    }
    const tag = response.headers.get("x-linked-etag") ?? response.headers.get("etag") ?? "";
    const etag = tag.replace(/^W\//, "").replaceAll('"', "");
    const length = response.headers.get("x-linked-size") ?? (response.status < 300 ? response.headers.get("content-length") : null);
    const size = /^\d{1,15}$/.test(length ?? "") ? Number(length) : undefined;
    if (/^[\w.-]+$/.test(etag) && !etag.startsWith(".") && isPlainName(etag)) return { file, url, etag, size };
    throw unreachable(context, `an answer for ${file} without a usable ETag (${JSON.stringify(tag)})`);
  }
  throw unreachable(context, `too many redirections for ${file}`);
}

async function fetchBlob(context: HubContext, remote: RemoteFile, blob: string, onProgress?: DownloadProgress): Promise<void> {
  const incomplete = `${blob}.incomplete`;
  // What an earlier download left may be damaged: a wrong checksum is worth one download from the beginning.
  for (let whole = 0; whole < 2; whole++) {
    await receive(context, remote, incomplete, onProgress);
    const checksum = await checksumOf(incomplete, remote.etag);
    if (checksum === undefined || checksum === remote.etag) {
      await rename(incomplete, blob);
      return;
    }
    await rm(incomplete);
    if (whole === 1) {
      throw new LecternError("HUB_CHECKSUM", {
        message: `${remote.file} of ${context.repository.name} arrived damaged, twice.`,
        expected: remote.etag,
        received: checksum,
        next: "Try again later, or another HF_ENDPOINT; something between the hub and this machine changes files.",
      });
    }
  }
}

/** Receives a file to its end, through as many connections as it takes, as long as they bring something. */
async function receive(context: HubContext, remote: RemoteFile, incomplete: string, onProgress?: DownloadProgress): Promise<void> {
  const handle = await open(incomplete, "a");
  try {
    let failures = 0;
    for (;;) {
      const before = await usableStart(handle, remote);
      if (before === remote.size) break;
      try {
        await receivePart(context, remote, handle, before, onProgress);
        const { size } = await handle.stat();
        if (remote.size === undefined || size === remote.size) break;
        throw new Error(`the connection ended after ${size} of ${remote.size} bytes`);
      } catch (error) {
        context.signal?.throwIfAborted(); // whatever else went wrong at that moment
        const isPassing = !(error instanceof LecternError) || error.code === "HUB_UNREACHABLE";
        if (!isPassing || isOfTheDisk(error)) throw error;
        const { size } = await handle.stat();
        const brought = remote.size !== undefined && size <= remote.size ? size - before : 0; // what can be gone on from
        failures = brought > 0 ? 1 : failures + 1;
        if (failures >= usualAttempts) throw error instanceof LecternError ? error : unreachable(context, error);
        await pauseBefore(context, failures);
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** How many bytes of an earlier download can be kept. */
async function usableStart(handle: FileHandle, remote: RemoteFile): Promise<number> {
  const { size } = await handle.stat();
  if (remote.size !== undefined && size <= remote.size) return size;
  await handle.truncate(0);
  return 0;
}

async function receivePart(
  context: HubContext,
  remote: RemoteFile,
  handle: FileHandle,
  start: number,
  onProgress?: DownloadProgress,
): Promise<void> {
  const response = await hubFetch(context, remote.url, { headers: start > 0 ? { range: `bytes=${start}-` } : {}, attempts: 1 });
  const isRest = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${start}-`) === true;
  let received = isRest ? start : 0;
  if (!isRest) await handle.truncate(0); // the whole file comes, or nothing that fits
  if (response.status === 416 || (response.status === 206 && !isRest)) {
    await response.body?.cancel();
    throw new Error("the hub cannot continue this download");
  }
  if (!response.body) return;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await beforeSilence(
      reader.read(),
      context.settings.idleTimeout,
      () => void reader.cancel().catch(() => undefined),
    );
    if (done) return;
    received += value.length;
    if (remote.size !== undefined && received > remote.size) {
      await reader.cancel();
      await handle.truncate(0);
      throw new Error(`more came than the ${remote.size} bytes that the hub announced`);
    }
    await handle.appendFile(value);
    if (received !== remote.size) onProgress?.({ file: remote.file, received, total: remote.size }); // the end is told once it is checked
  }
}

/** A system error of writing, which another connection would not mend. */
function isOfTheDisk(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && ["write", "ftruncate", "open", "fsync"].includes(String(error.syscall));
}

/** The checksum of the kind that the ETag is, or undefined when it is of neither kind. */
async function checksumOf(file: string, etag: string): Promise<string | undefined> {
  const hash = /^[0-9a-f]{64}$/.test(etag) ? createHash("sha256") : /^[0-9a-f]{40}$/.test(etag) ? createHash("sha1") : undefined;
  if (!hash) return undefined;
  if (etag.length === 40) hash.update(`blob ${(await stat(file)).size}\0`);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
