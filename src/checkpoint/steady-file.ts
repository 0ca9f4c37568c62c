/**
 * A file that is read several times, for its checksum and for each try of an upload, and must be the same each time: it is held open, so that another
 * file of its name does not take its place, and what is written into it meanwhile is noticed by its times.
 */
import type { BigIntStats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { LecternError } from "../errors.js";
import { readingError } from "../files/system-errors.js";

const pieceBytes = 2 ** 18;

export class SteadyFile {
  private constructor(
    private readonly name: string,
    private readonly handle: FileHandle,
    private readonly opened: BigIntStats,
  ) {}

  /** @throws LecternError FILE_MISSING, FILE_NOT_READABLE */
  static async open(file: string): Promise<SteadyFile> {
    try {
      const handle = await open(file, "r");
      return new SteadyFile(file, handle, await handle.stat({ bigint: true }));
    } catch (error) {
      throw readingError(error, file, "a file to publish");
    }
  }

  get bytes(): number {
    return Number(this.opened.size);
  }

  /** The bytes from `start` to before `end`, in pieces. */
  async *read(start = 0, end = this.bytes): AsyncGenerator<Uint8Array> {
    for (let place = start; place < end; ) {
      const { buffer, bytesRead } = await this.handle.read(Buffer.allocUnsafe(Math.min(pieceBytes, end - place)), { position: place });
      if (bytesRead === 0) throw this.changed();
      place += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** @throws LecternError HUB_FILE_CHANGED where it was written into since it was opened */
  async requireSame(): Promise<void> {
    const { size, mtimeNs } = await this.handle.stat({ bigint: true });
    if (size !== this.opened.size || mtimeNs !== this.opened.mtimeNs) throw this.changed();
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private changed(): LecternError {
    return new LecternError("HUB_FILE_CHANGED", {
      message: `${this.name} changed while it was uploaded; nothing was committed.`,
      next: "Wait until whatever writes it is done, then run the same command again.",
    });
  }
}
