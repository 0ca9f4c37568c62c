/**
 * One process at a time: a lock is a file made with O_EXCL that names its holder. The holder touches it while it works; a lock that was not
 * touched for a while, or whose process of this machine is gone, belongs to nobody any more.
 */
import { open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { makeFolders } from "../files/make-folder.js";
import { systemCode } from "../files/system-errors.js";

const touchEvery = 5_000;
const abandonedAfter = 60_000;
const lookEvery = 100;

/** Runs `work` while holding the lock; waits for whoever holds it now. */
export async function withFileLock<T>(file: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  await makeFolders(path.dirname(file));
  while (!(await acquired(file))) {
    if (await isAbandoned(file)) await rm(file, { force: true });
    else await pause(lookEvery, undefined, { signal });
  }
  const touch = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), touchEvery);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    await rm(file, { force: true });
  }
}

async function acquired(file: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    await handle.writeFile(`${hostname()} ${process.pid}`);
    await handle.close();
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  try {
    const [host, processId] = (await readFile(file, "utf8")).split(" ");
    if (host === hostname() && Number(processId) > 0 && !isAlive(Number(processId))) return true;
    return Date.now() - (await stat(file)).mtimeMs > abandonedAfter;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false; // just given back
    throw error;
  }
}

/** Whether a process of this machine is running. */
export function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}
