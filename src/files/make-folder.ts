/** Folders for results. */
import { constants } from "node:fs";
import { access, mkdir, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { LecternError } from "../errors.js";
import { systemCode, writingError } from "./system-errors.js";

/**
 * Makes a folder, with those above it, unless it is there; before anything slow, so that nothing is computed that cannot be written.
 * @throws LecternError FILE_NOT_WRITABLE, DISK_FULL
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await makeFolders(folder);
    await access(folder, constants.W_OK);
  } catch (error) {
    throw writingError(error, folder);
  }
}

/**
 * Makes a folder, with those above it, unless it is there. Node's own `mkdir` with `recursive` never ends where a folder exists and says of
 * every new name that it does not, as /proc does.
 * @throws the operating system's errors
 */
export async function makeFolders(folder: string): Promise<void> {
  if (await isFolder(folder)) return;
  const parent = path.dirname(folder);
  if (parent !== folder) await makeFolders(parent);
  try {
    await mkdir(folder);
  } catch (error) {
    if (!(await isFolder(folder))) throw error; // another process may have made it meanwhile
  }
}

async function isFolder(name: string): Promise<boolean> {
  return stat(name).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * Refuses a folder that holds anything, where one is about to be made.
 * @throws LecternError FOLDER_NOT_EMPTY
 */
export async function requireNewFolder(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [];
    throw writingError(error, folder);
  });
  if (names.length === 0) return;
  throw new LecternError("FOLDER_NOT_EMPTY", {
    message: `${folder} already holds files.`,
    expected: "a folder that does not exist yet",
    next: "Choose another folder, or remove that one first.",
  });
}

/**
 * Whether a folder could be made or written, without making it: what is told before anything slow, and leaves nothing behind.
 * @throws LecternError FILE_NOT_WRITABLE
 */
export async function checkWritable(folder: string): Promise<void> {
  let existing = path.resolve(folder);
  for (;;) {
    try {
      // The dot at the end: of a file there is no such path.
      return await access(`${existing}${path.sep}.`, constants.W_OK);
    } catch (error) {
      const parent = path.dirname(existing);
      if (systemCode(error) !== "ENOENT" || parent === existing) throw writingError(error, folder);
      existing = parent;
    }
  }
}
