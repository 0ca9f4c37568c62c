/**
 * Modules of a person's own that add models, ops, metrics and forms when they are imported (docs/extending.md): `--import FILE`, also in
 * processes that are started.
 */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { LecternError } from "../errors.js";

/**
 * Imports modules one after the other. They must find the same `lectern` as the program that runs: one installation, not a copy.
 * @param files paths, relative to the folder that the program runs in
 * @throws LecternError FILE_MISSING, IMPORT_FAILED; what Lectern refuses in a module as it is
 */
export async function importModules(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const path = resolve(file);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
      throw new LecternError("FILE_MISSING", {
        message: `There is no module ${file} to import.`,
        expected: "a JavaScript file that adds something to Lectern",
        next: "Check the path; docs/extending.md shows what stands in such a file.",
      });
    }
    try {
      await import(pathToFileURL(path).href);
    } catch (cause) {
      if (cause instanceof LecternError) throw cause;
      throw new LecternError(
        "IMPORT_FAILED",
        {
          message: `${file} cannot be imported: ${cause instanceof Error ? cause.message : String(cause)}`,
          expected: "a JavaScript module that can be run",
          next: "Correct the file; node FILE by itself shows where it fails. TypeScript must be compiled first.",
        },
        { cause },
      );
    }
  }
}
