/**
 * One process holds a folder: a lock of the operating system on a file in it, which ends with its process however that ends, so that a kill
 * leaves nothing to clear away. On Linux and macOS it is flock(2), on Windows a file that is opened without being shared for writing. Node offers
 * neither. The file says who holds the folder, for the message to whoever comes second.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import koffi from "koffi";
import { LecternError } from "../errors.js";
import { writingError } from "./system-errors.js";

/** A folder that this process holds. */
export interface HeldFolder {
  /** Gives the folder back. */
  release(): void;
}

const lockFile = ".lectern-lock";

/**
 * Takes hold of a folder that exists; nobody else can until it is released or this process ends.
 * @param doing what the holder does, for the message to others: "training"
 * @throws LecternError FOLDER_HELD where another process, or another call in this one, holds it; FILE_NOT_WRITABLE
 * @example
 * const held = holdFolder("runs/a", "training");
 * try { await train(); } finally { held.release(); }
 */
export function holdFolder(folder: string, doing: string): HeldFolder {
  const file = path.join(folder, lockFile);
  const holder = `${doing} by process ${process.pid} on ${hostname()} since ${new Date().toISOString()}`;
  try {
    const release = process.platform === "win32" ? lockOnWindows(file, holder) : lockByFlock(file, holder);
    if (release !== undefined) return { release };
  } catch (error) {
    throw writingError(error, file);
  }
  throw new LecternError("FOLDER_HELD", {
    message: `${folder} is in use: two runs would overwrite each other's files.`,
    expected: "a folder that no other process is writing into",
    received: holderOf(file),
    next: "Wait for that process or stop it, or choose another folder.",
  });
}

function holderOf(file: string): string {
  try {
    return readFileSync(file, "utf8").slice(0, 300) || "held by another process";
  } catch {
    return "held by another process";
  }
}

const [exclusive, withoutWaiting] = [2, 4];

/** A lock belongs to the opened file: it ends when that is closed, and a second opening in the same process does not share it. */
function lockByFlock(file: string, holder: string): (() => void) | undefined {
  const flock = koffi.load(null).func("int flock(int descriptor, int operation)");
  for (;;) {
    const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
    if (flock(descriptor, exclusive | withoutWaiting) !== 0) {
      const held = koffi.errno() === koffi.os.errno.EAGAIN;
      closeSync(descriptor);
      if (held) return undefined;
      return () => undefined; // a file system without such locks, as some network ones: the folder can be used, and nobody is kept out
    }
    if (isStill(file, descriptor)) {
      ftruncateSync(descriptor);
      writeSync(descriptor, holder, 0);
      return () => {
        rmSync(file, { force: true });
        closeSync(descriptor);
      };
    }
    closeSync(descriptor); // its holder removed it between our opening it and its lock: the next one is another file
  }
}

function isStill(file: string, descriptor: number): boolean {
  const now = statSync(file, { throwIfNoEntry: false });
  return now !== undefined && now.ino === fstatSync(descriptor).ino;
}

const [genericWrite, shareForReading, openAlways, deleteOnClose] = [0x40000000, 1, 4, 0x04000000];

/** A file that is open for writing and shared for reading only cannot be opened for writing again; it goes away with its last handle. */
function lockOnWindows(file: string, holder: string): (() => void) | undefined {
  const kernel = koffi.load("kernel32.dll");
  const createFile = kernel.func(
    "intptr_t __stdcall CreateFileW(str16 name, uint32_t access, uint32_t share, void *security, uint32_t disposition, uint32_t flags, void *template)",
  );
  const writeFile = kernel.func("int __stdcall WriteFile(intptr_t handle, const uint8_t *data, uint32_t length, _Out_ uint32_t *written, void *overlapped)");
  const closeHandle = kernel.func("int __stdcall CloseHandle(intptr_t handle)");
  const handle = createFile(file, genericWrite, shareForReading, null, openAlways, deleteOnClose, null) as number;
  if (handle === -1) return undefined;
  const bytes = Buffer.from(holder);
  writeFile(handle, bytes, bytes.length, [0], null);
  return () => void closeHandle(handle);
}
