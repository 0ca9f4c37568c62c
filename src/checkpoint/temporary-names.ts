/**
 * Names of the files and folders being written, before they take their place: `.NAME.HOST.PROCESS-NUMBER.partial`, beside where they go, so
 * that the last step is a rename on one disk. The name says who is writing; what a killed process left behind is cleared by the next writer.
 */
import { createHash, randomBytes } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { isAlive } from "./file-lock.js";

const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const inUse = new Set<string>();
/** A temporary of another machine (on a shared disk) is taken for abandoned after this long without a change. */
const abandonedAfterMilliseconds = 24 * 60 * 60 * 1000;

/** A name for the next version of `target`, in its folder, used by no one else. Give it back with `releaseTemporaryName`. */
export function temporaryName(target: string): string {
  const name = path.join(
    path.dirname(target),
    `.${path.basename(target)}.${host}.${process.pid}-${randomBytes(4).toString("hex")}.partial`,
  );
  inUse.add(name);
  return name;
}

export function releaseTemporaryName(name: string): void {
  inUse.delete(name);
}

/** Removes what writers of `target` that were killed left behind. A writer still at work keeps what it has. */
export async function clearAbandoned(target: string): Promise<void> {
  const folder = path.dirname(target);
  const prefix = `.${path.basename(target)}.`;
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix) || !name.endsWith(".partial")) continue;
    const writer = /^([0-9a-f]{8})\.(\d+)-[0-9a-f]{8}\.partial$/.exec(name.slice(prefix.length));
    if (!writer) continue;
    const file = path.join(folder, name);
    const abandoned =
      writer[1] === host ? !inUse.has(file) && !(Number(writer[2]) !== process.pid && isAlive(Number(writer[2]))) : await isOld(file);
    if (abandoned) await rm(file, { recursive: true, force: true });
  }
}

async function isOld(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > abandonedAfterMilliseconds;
}
