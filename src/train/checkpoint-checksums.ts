/**
 * SHA256SUMS: the checksum of every file of a checkpoint, as `sha256sum` writes them and `sha256sum -c` checks them. Damage that leaves a file's
 * size alone (a flipped bit, a text that was edited) would otherwise be trained on.
 */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checksum } from "../files/checksum.js";
import { isPlainName, readContainedText } from "../files/plain-file.js";
import { systemCode } from "../files/system-errors.js";
import { LecternError } from "../errors.js";

export const checksumsFile = "SHA256SUMS";

/**
 * Writes the checksums of all files in a folder.
 * @param last the file whose line comes last, so that a list which was cut short at the end of a line lacks it
 */
export async function writeChecksums(folder: string, last: string): Promise<void> {
  const names = (await filesOf(folder)).filter((name) => name !== last);
  const sums = await Promise.all([...names, last].map(async (name) => [name, await checksum(join(folder, name))] as const));
  await writeFile(join(folder, checksumsFile), textOf(new Map(sums)));
}

/**
 * The text of SHA256SUMS after one file of the folder has changed.
 * @param sum checksum of the file as it will be
 */
export function changedChecksums(folder: string, name: string, sum: string): string {
  return textOf(readChecksums(folder).set(name, sum));
}

/**
 * What keeps a folder from being what its checksums say, in a sentence; undefined where nothing does.
 * @param last the file whose line comes last
 */
export async function checksumProblem(folder: string, last: string): Promise<string | undefined> {
  let sums: Map<string, string>;
  try {
    sums = readChecksums(folder);
  } catch (error) {
    if (error instanceof LecternError) return error.detail.message;
    throw error;
  }
  if (!sums.has(last)) return `${checksumsFile} is damaged.`;
  for (const [name, expected] of sums) {
    try {
      if ((await checksum(join(folder, name))) !== expected) return `${name} is not as it was written: its checksum is another.`;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return `${name} is missing.`;
      if (systemCode(error) === undefined) throw error;
      return `${name} cannot be read (${systemCode(error)}).`;
    }
  }
  return undefined;
}

function readChecksums(folder: string): Map<string, string> {
  const text = readContainedText(folder, checksumsFile, { what: "the checksums of a checkpoint", limit: 2 ** 20 });
  const sums = new Map<string, string>();
  for (const line of text.split("\n").slice(0, -1)) {
    const [, sum, name] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (name === undefined || !isPlainName(name)) throw damaged(folder, line);
    sums.set(name, sum);
  }
  if (sums.size === 0 || !text.endsWith("\n")) throw damaged(folder, text);
  return sums;
}

function damaged(folder: string, received: string): LecternError {
  return new LecternError("CHECKPOINT_INCOMPLETE", {
    message: `${checksumsFile} is damaged.`,
    expected: "lines with a SHA-256 checksum and the name of a file",
    received: received.slice(0, 80),
    next: `Resume from another checkpoint than ${folder}.`,
  });
}

function textOf(sums: ReadonlyMap<string, string>): string {
  return [...sums].map(([name, sum]) => `${sum}  ${name}\n`).join("");
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name !== checksumsFile)
    .map(({ name }) => name)
    .sort();
}
