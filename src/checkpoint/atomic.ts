/**
 * Writing so that a kill, a crash or a full disk at any moment leaves what was there before whole: the new version is written beside the
 * old one, forced to the disk, and takes its place by a rename. Folders need one step more, since no system call puts one folder in the
 * place of another that is not empty; what a kill between two steps leaves is completed by `recoverFolder`, which every reader calls.
 */
import { existsSync } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { makeFolders } from "../files/make-folder.js";
import { isPlainName } from "../files/plain-file.js";
import { systemCode, writingError } from "../files/system-errors.js";
import { clearAbandoned, releaseTemporaryName, temporaryName } from "./temporary-names.js";

/**
 * Replaces a file in one step.
 * @throws LecternError DISK_FULL, FILE_NOT_WRITABLE; the previous file is then unchanged
 * @example await writeFileAtomic("trainer_state.json", JSON.stringify(state));
 */
export async function writeFileAtomic(file: string, data: string | Uint8Array): Promise<void> {
  await writeStreamAtomic(file, (handle) => handle.writeFile(data));
}

/** As `writeFileAtomic`, with the content written piece by piece by `fill`. */
export async function writeStreamAtomic(file: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(file);
  try {
    await makeFolders(path.dirname(file));
    await clearAbandoned(file);
    const handle = await open(temporary, "wx");
    try {
      await fill(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writingError(error, file);
  } finally {
    releaseTemporaryName(temporary);
  }
}

/**
 * Makes a folder in one step, or replaces one with all it holds.
 * @param fill writes the content into the empty folder it is given
 * @throws LecternError DISK_FULL, FILE_NOT_WRITABLE, and whatever `fill` throws; the previous folder is then unchanged
 * @example await writeFolderAtomic("runs/a/checkpoint-500", async (folder) => saveInto(folder));
 */
export async function writeFolderAtomic(folder: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const target = path.resolve(folder);
  const temporary = temporaryName(target);
  try {
    await makeFolders(path.dirname(target));
    await recoverFolder(target);
    await clearAbandoned(target);
    await mkdir(temporary);
    await fill(temporary);
    await syncTree(temporary);
    const previous = previousOf(target);
    if (existsSync(target)) await rename(target, previous);
    await rename(temporary, target);
    await syncFolder(path.dirname(target));
    await rm(previous, { recursive: true, force: true });
  } catch (error) {
    await recoverFolder(target).catch(() => undefined);
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw writingError(error, folder);
  } finally {
    releaseTemporaryName(temporary);
  }
}

/**
 * Writes several files of a folder that stays in use, all or none: they are first written whole into a folder inside it, whose last rename
 * is the moment of commitment, and then moved into place. A kill before that moment changes nothing; after it, `recoverFolder` finishes.
 * @param fill writes the new files (no folders) into the empty folder it is given; what it returns goes to `obsolete`
 * @param obsolete names of files that the new ones make wrong (a sharded index beside a single file), removed with them
 */
export async function writeFilesAtomic<T>(
  folder: string,
  fill: (temporary: string) => Promise<T>,
  obsolete: (filled: T) => string[] = () => [],
): Promise<void> {
  const committed = committedIn(folder);
  const temporary = temporaryName(committed);
  try {
    await makeFolders(folder);
    await recoverFolder(folder);
    await clearAbandoned(committed);
    await mkdir(temporary);
    const filled = await fill(temporary);
    for (const name of obsolete(filled)) await (await open(path.join(temporary, name + obsoleteMark), "wx")).close();
    await syncTree(temporary);
    await rename(temporary, committed);
    await syncFolder(folder);
    await finishCommit(folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw writingError(error, folder);
  } finally {
    releaseTemporaryName(temporary);
  }
}

/**
 * Completes what a killed writer of this folder had committed to: a folder set aside just before its successor took its place comes back,
 * and files of a finished commit are moved into place. Cheap when there is nothing to do; readers call it before they look.
 */
export async function recoverFolder(folder: string): Promise<void> {
  const target = path.resolve(folder);
  const previous = previousOf(target);
  if (existsSync(previous)) {
    if (existsSync(target)) await rm(previous, { recursive: true, force: true });
    else await ignoringMissing(rename(previous, target), undefined);
  }
  await finishCommit(target);
}

const obsoleteMark = ".obsolete";

/** Where a folder waits while its successor takes its place. */
function previousOf(target: string): string {
  return path.join(path.dirname(target), `.${path.basename(target)}.previous`);
}

function committedIn(folder: string): string {
  return path.join(folder, ".lectern-commit");
}

async function finishCommit(folder: string): Promise<void> {
  const committed = committedIn(folder);
  // A real folder only: in a foreign model folder it might be a link, and the files moved and removed here those of its target.
  if ((await lstat(committed).catch(() => undefined))?.isDirectory() !== true) return;
  for (const name of await ignoringMissing(readdir(committed), [])) {
    const from = path.join(committed, name);
    if (name.endsWith(obsoleteMark)) {
      const obsolete = name.slice(0, -obsoleteMark.length);
      if (isPlainName(obsolete)) await rm(path.join(folder, obsolete), { force: true });
      await rm(from, { force: true });
    } else await ignoringMissing(rename(from, path.join(folder, name)), undefined);
  }
  await rm(committed, { recursive: true, force: true });
  await syncFolder(folder);
}

/** Two processes may complete the same commit at once: what one has moved, the other no longer finds. */
async function ignoringMissing<T>(work: Promise<T>, otherwise: T): Promise<T> {
  return work.catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
    return otherwise;
  });
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const child = path.join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(child);
    else if (entry.isFile()) await syncPath(child, process.platform === "win32" ? "r+" : "r");
  }
  await syncFolder(folder);
}

/** Forces a folder's list of names to the disk. Windows has no such call. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform !== "win32") await syncPath(folder, "r");
}

async function syncPath(file: string, flags: string): Promise<void> {
  const handle = await open(file, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
