/**
 * How the body of a request is read: JSON in UTF-8 and nothing else, as many bytes as the server takes, and no more values than a request can
 * have (body-counts.ts). What arrives at the same time is bounded, too, and a client that asks first (Expect: 100-continue) is told before
 * it sends.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import type { App } from "./app.js";
import { checkCounts } from "./body-counts.js";
import { HttpError } from "./http-error.js";
import type { ResolvedOptions } from "./options.js";

/** Bodies of the largest size that may be on their way at the same time. */
const largestAtOnce = 64;

/** Replaces Fastify's own readers of bodies. Keys that would change an object's prototype are refused. */
export function readJsonOnly(app: App, { maxBodyBytes, maxQuestions }: ResolvedOptions): void {
  const parseJson = app.getDefaultJsonParser("error", "error");
  const arriving = { bytes: 0, most: largestAtOnce * maxBodyBytes };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", async (request: FastifyRequest) => {
    const charset = /;\s*charset="?([^";\s]+)/i.exec(request.headers["content-type"] ?? "")?.[1] ?? "utf-8";
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (!/^utf-?8$/i.test(charset) || encoding !== "identity") throw new HttpError("UNSUPPORTED_MEDIA_TYPE", "Send JSON in UTF-8, not compressed.");
    const body = await readBody(request.raw, maxBodyBytes, arriving);
    if (!isUtf8(body)) throw new HttpError("INVALID_UTF8", "The body is not UTF-8.");
    checkCounts(body, maxQuestions);
    return new Promise((resolve, reject) => {
      parseJson(request, body.toString(), (error, value) => {
        // its own message repeats a piece of the body
        if (error === null) resolve(value);
        else reject(new HttpError("INVALID_JSON", body.length === 0 ? "The body is empty." : "The body is not JSON, or has a key such as __proto__."));
      });
    });
  });
}

/** Requests whose client waits to be told to send the body. */
const asking = new WeakMap<IncomingMessage, () => void>();

/** Notes that the client waits until `goOn` is called. */
export function waitsToSend(request: IncomingMessage, goOn: () => void): void {
  asking.set(request, goOn);
}

/** Whether the client may never send the body, since it was not told to. */
export function isWaitingToSend(request: IncomingMessage): boolean {
  return asking.has(request);
}

/** @throws HttpError BODY_TOO_LARGE, QUEUE_FULL, BAD_REQUEST when the connection ends before the body does */
function readBody(request: IncomingMessage, limit: number, arriving: { bytes: number; readonly most: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = new HttpError("BODY_TOO_LARGE", `The body has more than the ${limit} bytes that this server takes.`);
    if (Number(request.headers["content-length"] ?? 0) > limit) return reject(tooLarge);
    let length = 0;
    // one buffer that doubles, since a body may come in pieces of a byte
    let body = Buffer.allocUnsafe(Math.min(limit, 4096));
    const end = (settle: () => void): void => {
      arriving.bytes -= length;
      request.off("data", take).off("end", onEnd).off("error", onBroken).off("close", onBroken);
      settle();
    };
    const take = (piece: Buffer): void => {
      if (length + piece.length > limit) return end(() => reject(tooLarge));
      if (arriving.bytes + piece.length > arriving.most) return end(() => reject(new HttpError("QUEUE_FULL", "More is being sent than this server takes at once.", {}, 1)));
      if (length + piece.length > body.length) {
        const larger = Buffer.allocUnsafe(Math.min(limit, Math.max(2 * body.length, length + piece.length)));
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      piece.copy(body, length);
      length += piece.length;
      arriving.bytes += piece.length;
    };
    const onEnd = (): void => end(() => resolve(body.subarray(0, length)));
    const onBroken = (): void => end(() => reject(new HttpError("BAD_REQUEST", "The connection ended before the body did.")));
    request.on("data", take).on("end", onEnd).on("error", onBroken).on("close", onBroken);
    asking.get(request)?.();
    asking.delete(request);
  });
}
