/** Folders for results. */
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { writingError } from "./system-errors.js";

/**
 * Makes a folder, with those above it, unless it is there; before anything slow, so that nothing is computed that cannot be written.
 * @throws LecternError FILE_NOT_WRITABLE, DISK_FULL
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (error) {
    throw writingError(error, folder);
  }
}
