/**
 * The HTTP side of the server, without its routes: how bodies are read, who may ask, what a failure looks like, what is logged. The log
 * names routes, statuses and times; of what was asked and answered it holds nothing unless that was wanted.
 */
import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController, type RawServerDefault } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApiKeys } from "./api-keys.js";
import { refuseConnection, sendError } from "./error-replies.js";
import { HttpError, type HttpErrorCode } from "./http-error.js";
import type { ResolvedOptions } from "./options.js";
import { validatorCompiler } from "./validation.js";

declare module "fastify" {
  interface FastifyReply {
    /** Why the request failed. */
    failure: HttpErrorCode | undefined;
    /** What the log says of a request for answers. */
    told: Record<string, unknown> | undefined;
  }
  interface FastifyContextConfig {
    /** Needs no API key. */
    open?: boolean;
  }
}

export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

/** Milliseconds within which a request must have arrived whole. */
const timeToArrive = 30_000;

/** @param keys undefined: everyone may ask */
export function createApp(options: ResolvedOptions, keys: ApiKeys | undefined): App {
  const { log } = options;
  const app = fastify({
    bodyLimit: options.maxBodyBytes,
    requestTimeout: timeToArrive,
    genReqId: () => randomUUID(),
    logController: new LogController({ disableRequestLogging: true }), // the hook below logs
    logger: log === undefined ? false : { level: log.level ?? "info", stream: log.stream ?? process.stdout, base: null },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => void sendError(error, request as FastifyRequest, reply),
    forceCloseConnections: "idle",
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateReply("failure", undefined);
  app.decorateReply("told", undefined);
  readJsonOnly(app);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendError(new HttpError("NOT_FOUND", "There is nothing under this path and method. The paths are listed at /docs."), request, reply),
  );
  app.addHook("onRequest", async (request, reply) => {
    reply.headers({ "x-request-id": request.id, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
    if (keys === undefined || request.routeOptions.config.open === true || request.is404) return;
    const name = keys.nameOf(request.headers.authorization);
    if (name === undefined) throw new HttpError("UNAUTHORIZED", "This server wants an API key, as Authorization: Bearer KEY.");
    reply.told = { key: name };
  });
  app.addHook("onResponse", async (request, reply) => {
    const { method, url } = request.routeOptions;
    const what = { request_id: request.id, method: method ?? request.method, route: url ?? "unknown", status: reply.statusCode };
    const line = { ...what, milliseconds: Math.round(reply.elapsedTime), error: reply.failure, ...reply.told };
    if (quietRoutes.has(url ?? "")) app.log.debug(line, "request");
    else app.log.info(line, "request");
  });
  return app;
}

/** Asked every few seconds by those who watch the server. */
const quietRoutes = new Set(["/healthz", "/readyz", "/metrics"]);

/** Bodies are JSON in UTF-8 and nothing else; keys that would change an object's prototype are refused. */
function readJsonOnly(app: App): void {
  const parseJson = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const charset = /;\s*charset="?([^";\s]+)/i.exec(request.headers["content-type"] ?? "")?.[1] ?? "utf-8";
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (!/^utf-?8$/i.test(charset) || encoding !== "identity") {
      return done(new HttpError("UNSUPPORTED_MEDIA_TYPE", "Send JSON in UTF-8, not compressed."));
    }
    if (!isUtf8(body as Buffer)) return done(new HttpError("INVALID_UTF8", "The body is not UTF-8."));
    return parseJson(request, body.toString(), (error, value) => {
      // its own message repeats a piece of the body
      if (error !== null) done(new HttpError("INVALID_JSON", body.length === 0 ? "The body is empty." : "The body is not JSON, or has a key such as __proto__."));
      else done(null, value);
    });
  });
}
