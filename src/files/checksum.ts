/** SHA-256 of a file, in hexadecimal, read piece by piece. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

export async function checksum(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  return hash.digest("hex");
}
