/**
 * Large files to the hub, by Git LFS's batch interface (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md): the hub says which contents it
 * lacks, and gives addresses in its storage for each, one ("basic") or one for each part ("multipart", the hub's own). A content that came whole
 * stays there, whether or not it is committed: what an interrupted push brought is not sent again.
 */
import { z } from "zod";
import { LecternError } from "../errors.js";
import { answeredJson, hubFetch, pageOf, reasonOf, unreachable, type HubContext } from "./hub-request.js";
import type { SteadyFile } from "./steady-file.js";

/** Told as an upload goes on. */
export type UploadProgress = (event: { file: string; sent: number; total: number; wasThere?: boolean }) => void;

export interface LargeFile {
  /** Its path on the hub. */
  readonly path: string;
  readonly content: SteadyFile;
  readonly sha256: string;
}

const headers = { accept: "application/vnd.git-lfs+json", "content-type": "application/vnd.git-lfs+json" };
const action = z.object({ href: z.string(), header: z.record(z.string(), z.unknown()).optional() });
const batchAnswer = z.object({
  objects: z
    .array(
      z.object({
        actions: z.object({ upload: action.optional(), verify: action.optional() }).optional(),
        error: z.object({ message: z.string() }).optional(),
      }),
    )
    .length(1),
});
type Action = z.infer<typeof action>;

/**
 * Sends a file to the hub's storage, unless it is there.
 * @returns whether it was sent
 * @throws LecternError HUB_UNREACHABLE, HUB_FILE_CHANGED, HUB_REFUSED, and the other refusals of sending
 */
export async function sendLargeFile(context: HubContext, file: LargeFile, onProgress?: UploadProgress): Promise<boolean> {
  const told = { file: file.path, sent: file.content.bytes, total: file.content.bytes };
  for (let attempt = 1; ; attempt++) {
    const actions = await askForAddresses(context, file);
    if (actions.upload === undefined) {
      onProgress?.({ ...told, wasThere: attempt === 1 });
      return attempt > 1;
    }
    try {
      await sendTo(context, file, actions.upload, actions.verify, onProgress);
      onProgress?.(told);
      return true;
    } catch (error) {
      const isRefused = error instanceof LecternError && error.code === "HUB_REFUSED";
      if (!isRefused || attempt > 1) throw error; // addresses are lent for a time, which a long file may outlast
    }
  }
}

/** Addresses for a content; none where the hub has it. */
async function askForAddresses(context: HubContext, { path, content, sha256: oid }: LargeFile): Promise<{ upload?: Action; verify?: Action }> {
  const url = `${pageOf(context)}.git/info/lfs/objects/batch`;
  const request = {
    operation: "upload",
    transfers: ["basic", "multipart"],
    hash_algo: "sha256",
    ref: { name: context.repository.revision },
    objects: [{ oid, size: content.bytes }],
  };
  const answer = await answeredJson(context, await hubFetch(context, url, { method: "POST", headers, body: JSON.stringify(request) }));
  const [object] = answered(context, batchAnswer, answer).objects;
  if (object.error !== undefined) {
    throw new LecternError("HUB_REFUSED", {
      message: `The hub does not take ${path} of ${context.repository.name}.`,
      received: object.error.message,
      next: "Correct what the hub names: the size of a file, or the room that the account has left.",
    });
  }
  return object.actions ?? {};
}

async function sendTo(context: HubContext, file: LargeFile, upload: Action, verify?: Action, onProgress?: UploadProgress): Promise<void> {
  const { content, sha256: oid } = file;
  const partBytes = Number(upload.header?.["chunk_size"] ?? 0);
  if (partBytes > 0) await sendParts(context, file, upload, partBytes, onProgress);
  else await sendPart(context, file, { url: upload.href, headers: texts(upload.header), start: 0, end: content.bytes }, onProgress);
  await content.requireSame();
  if (verify === undefined) return;
  const body = JSON.stringify({ oid, size: content.bytes });
  await done(await hubFetch(context, verify.href, { method: "POST", headers: { ...headers, ...texts(verify.header) }, body }));
}

/** The addresses stand in the header under the parts' numbers, "00001" or "1" first. */
async function sendParts(context: HubContext, file: LargeFile, { href, header }: Action, partBytes: number, onProgress?: UploadProgress): Promise<void> {
  const { content, sha256: oid } = file;
  const urls = Object.entries(texts(header))
    .filter(([name]) => /^\d+$/.test(name))
    .sort(([one], [other]) => Number(one) - Number(other))
    .map(([, url]) => url);
  const count = Math.ceil(content.bytes / partBytes);
  if (urls.length !== count) throw unreachable(context, new Error(`${urls.length} addresses for the ${count} parts of ${file.path}`));
  const parts: { partNumber: number; etag: string }[] = [];
  for (const [index, url] of urls.entries()) {
    const [start, end] = [index * partBytes, Math.min((index + 1) * partBytes, content.bytes)];
    const etag = await sendPart(context, file, { url, headers: {}, start, end }, onProgress);
    if (etag === null) throw unreachable(context, new Error(`part ${index + 1} of ${file.path} was taken without an ETag`));
    parts.push({ partNumber: index + 1, etag });
  }
  await content.requireSame(); // before the parts become a file there
  await done(await hubFetch(context, href, { method: "POST", headers, body: JSON.stringify({ oid, parts }) }));
}

interface Part {
  url: string;
  headers: Record<string, string>;
  start: number;
  end: number;
}

/** What a storage answers where an address has expired, or the content is not the one that was promised. */
const storageRefusals = [400, 401, 403, 404, 410];

/** @returns the ETag that the storage gave it */
async function sendPart(context: HubContext, file: LargeFile, { url, headers, start, end }: Part, onProgress?: UploadProgress): Promise<string | null> {
  const total = file.content.bytes;
  const read = async function* (): AsyncGenerator<Uint8Array> {
    let sent = start;
    for await (const piece of file.content.read(start, end)) {
      yield piece;
      sent += piece.length;
      if (sent < total) onProgress?.({ file: file.path, sent, total }); // the end is told once all of it is there
    }
  };
  const response = await hubFetch(context, url, { method: "PUT", headers, body: { bytes: end - start, read }, answers: storageRefusals });
  if (response.status >= 400) {
    await file.content.requireSame(); // another content than was promised is refused, too
    throw new LecternError("HUB_REFUSED", {
      message: `The hub's storage does not take ${file.path} of ${context.repository.name}.`,
      received: await reasonOf(response),
      next: "Run the same command again; what came whole is not sent a second time.",
    });
  }
  await done(response);
  return response.headers.get("etag");
}

/** An answer of which only the status matters. */
async function done({ body }: Response): Promise<void> {
  await body?.cancel();
}

const texts = (header: Record<string, unknown> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(header).filter((entry): entry is [string, string] => typeof entry[1] === "string"));

/** What an answer says, if it is of the hub's form. */
export function answered<T>(context: HubContext, form: z.ZodType<T>, answer: unknown): T {
  const read = form.safeParse(answer);
  if (!read.success) throw unreachable(context, new Error(`an answer that is not the hub's: ${JSON.stringify(answer)?.slice(0, 200)}`));
  return read.data;
}
