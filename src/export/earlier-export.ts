/**
 * A folder that holds an export already: whether it is one of the same model, so that files can be added to it, and how its own are kept. The
 * folder is made anew beside it, from links to the files that stay, and takes its place in one step: a stop at any moment leaves it as it was.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, link, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { recoverFolder } from "../checkpoint/atomic.js";
import { LecternError } from "../errors.js";
import { makeFolders } from "../files/make-folder.js";
import { readContainedText } from "../files/plain-file.js";
import type { Reader } from "../tasks/extractive/reader.js";
import type { ExportedFile, ExportReport } from "./export-reader.js";
import { checksum } from "../files/checksum.js";

export const reportFile = "export_report.json";

/** What of a report decides whether files can be added. */
const reported = z.object({
  model: z.string(),
  format: z.enum(["onnx", "safetensors"]),
  model_sha256: z.string(),
  files: z.array(z.looseObject({ file: z.string(), sha256: z.string() })),
});

/**
 * The report of the export in a folder; undefined where there is no folder yet, or an empty one.
 * @throws LecternError FOLDER_NOT_EMPTY where there is something else
 */
export async function readEarlierExport(to: string): Promise<ExportReport | undefined> {
  await recoverFolder(to);
  if (!existsSync(to)) return undefined;
  if (!(await stat(to)).isDirectory()) throw notEmpty(`${to} is a file.`);
  if ((await readdir(to)).length === 0) return undefined;
  if (!existsSync(path.join(to, reportFile))) throw notEmpty(`${to} already holds files, which are not those of an export.`);
  const text = readContainedText(to, reportFile, { what: "the report of an export", limit: 2 ** 24 });
  let report: unknown;
  try {
    report = JSON.parse(text);
  } catch {
    // told below
  }
  if (!reported.safeParse(report).success) throw notEmpty(`${path.join(to, reportFile)} does not say which model the folder was made of.`);
  return report as ExportReport;
}

/** What a reader is known by: its parameters, its config and its tokenizer, wherever they lie. */
export function readerChecksum({ store, config, tokenizer }: Reader): string {
  const hash = createHash("sha256");
  for (const { name, tensor } of [...store.parameters.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
    hash.update(`${name}\n`).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  const { _name_or_path: _origin, ...kept } = config;
  return hash.update(JSON.stringify([kept, tokenizer.files])).digest("hex");
}

/**
 * Refuses an export of another model or form, and one whose files are no longer those that were proved.
 * @throws LecternError FOLDER_NOT_EMPTY
 */
export async function requireSameExport(
  to: string,
  earlier: ExportReport,
  now: Pick<ExportReport, "model" | "format" | "model_sha256">,
): Promise<void> {
  if (earlier.model_sha256 !== now.model_sha256) throw notEmpty(`${to} holds an export of another model (${earlier.model}).`);
  if (earlier.format !== now.format) throw notEmpty(`${to} holds an export as ${earlier.format}, and this one is ${now.format}.`);
  for (const { file, sha256 } of earlier.files) {
    const there = path.join(to, file);
    if (!existsSync(there) || (await checksum(there)) !== sha256)
      throw notEmpty(`${there} is no longer the file that was proved when it was exported.`);
  }
}

/** The files of an earlier export that the new one, in the folder `temporary`, has not written again. */
export function keptFiles(earlier: ExportReport, temporary: string): readonly ExportedFile[] {
  return earlier.files.filter(({ file }) => !isWrittenAgain(file, temporary));
}

/** Those of them whose weights lie in a file of their own, as transformers.js is told of them. */
export function keptExternalData(to: string, kept: readonly ExportedFile[]): Record<string, boolean> {
  const external = kept.filter(({ file }) => file.endsWith(".onnx") && existsSync(path.join(to, `${file}_data`)));
  return Object.fromEntries(external.map(({ file }) => [path.basename(file), true]));
}

/** Brings all that the folder holds and the new one does not into the new one. Nothing there may be written to afterwards. */
export async function bringEarlierFiles(to: string, temporary: string): Promise<void> {
  const entries = await readdir(to, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.relative(to, path.join(entry.parentPath, entry.name)));
  for (const file of files.filter((name) => !isWrittenAgain(name, temporary))) {
    const [from, into] = [path.join(to, file), path.join(temporary, file)];
    await makeFolders(path.dirname(into));
    await link(from, into).catch(() => copyFile(from, into)); // some file systems have no links
  }
}

/** A file, or the external data of one that has none now. */
function isWrittenAgain(file: string, temporary: string): boolean {
  return existsSync(path.join(temporary, file)) || existsSync(path.join(temporary, file.replace(/_data$/, "")));
}

function notEmpty(message: string): LecternError {
  return new LecternError("FOLDER_NOT_EMPTY", {
    message,
    expected: "a folder that does not exist yet, or one with an export of the same model in the same form",
    next: "Choose another folder, or remove that one first.",
  });
}
