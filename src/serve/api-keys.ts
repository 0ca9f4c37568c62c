/**
 * API keys. A key is 256 random bits, so that its SHA-256 cannot be turned back and needs no salt and no slow hash; the file holds only
 * hashes, and a key is shown once, when it is made.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, readFile } from "node:fs/promises";
import { z } from "zod";
import { writeFileAtomic } from "../checkpoint/atomic.js";
import { LecternError } from "../errors.js";

const keyFile = z.strictObject({
  keys: z.array(z.strictObject({ name: z.string().min(1), sha256: z.string().regex(/^[0-9a-f]{64}$/), created: z.string() })),
});

/** The keys that a server takes. */
export interface ApiKeys {
  /** The name of the key in an Authorization header ("Bearer lectern-…"); undefined when it is none of ours. */
  nameOf(authorization: string | undefined): string | undefined;
}

/**
 * Reads the hashes of keys.
 * @throws LecternError FILE_MISSING, API_KEYS
 */
export async function readApiKeys(file: string): Promise<ApiKeys> {
  const { keys } = await readKeyFile(file);
  if (keys.length === 0) throw broken(file, "at least one key", "none", "Make one with lectern serve --api-keys FILE --create-api-key NAME.");
  const known = keys.map(({ name, sha256 }) => ({ name, hash: Buffer.from(sha256, "hex") }));
  return {
    nameOf: (authorization) => {
      const key = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
      if (key === undefined) return undefined;
      const hash = hashOf(key);
      return known.filter((one) => timingSafeEqual(one.hash, hash)).at(0)?.name; // all are compared, whichever it is
    },
  };
}

/**
 * Makes a key and adds its hash to the file, which only its owner may read.
 * @returns the key, which is nowhere else
 * @throws LecternError API_KEYS when the name is taken, FILE_NOT_WRITABLE
 */
export async function createApiKey(file: string, name: string): Promise<string> {
  const { keys } = existsSync(file) ? await readKeyFile(file) : { keys: [] };
  if (keys.some((key) => key.name === name)) throw broken(file, "a name that no key has yet", name, "Choose another name, or remove the old key from the file.");
  const key = `lectern-${randomBytes(32).toString("base64url")}`;
  const added = { name, sha256: hashOf(key).toString("hex"), created: new Date().toISOString() };
  await writeFileAtomic(file, `${JSON.stringify({ keys: [...keys, added] }, null, 2)}\n`);
  await chmod(file, 0o600);
  return key;
}

async function readKeyFile(file: string): Promise<z.output<typeof keyFile>> {
  if (!existsSync(file)) {
    throw new LecternError("FILE_MISSING", {
      message: `There is no file of API keys ${file}.`,
      next: "Make one with lectern serve --api-keys FILE --create-api-key NAME.",
    });
  }
  try {
    return keyFile.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    throw broken(file, '{"keys": [{"name", "sha256", "created"}]}', (error as Error).message, "Mend the file, or make a new one.");
  }
}

function broken(file: string, expected: string, received: string, next: string): LecternError {
  return new LecternError("API_KEYS", { message: `The file of API keys ${file} cannot be used.`, expected, received, next });
}

function hashOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
