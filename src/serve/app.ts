/**
 * The HTTP side of the server, without its routes: how bodies are read, who may ask, what a failure looks like, what is logged. The log
 * names routes, statuses and times; of what was asked and answered it holds nothing unless that was wanted.
 */
import { randomUUID } from "node:crypto";
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController, type RawServerDefault } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { ApiKeys } from "./api-keys.js";
import { checkingInterval, type Connections } from "./connections.js";
import { answerPreflight, corsRules } from "./cors.js";
import { sendError } from "./error-replies.js";
import { hostCheck } from "./hosts.js";
import { HttpError, type HttpErrorCode } from "./http-error.js";
import { readJsonOnly } from "./json-body.js";
import { notRouted, routedMethods } from "./methods.js";
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

/**
 * @param keys undefined: everyone may ask
 * @param connections those of the server, and of a second one that `localhost` may need
 */
export function createApp(options: ResolvedOptions, keys: ApiKeys | undefined, connections: Connections): App {
  const { log, clientTimeout, keepAliveTimeout } = options;
  const checkHost = hostCheck(options.host, options.allowHosts);
  const cors = corsRules(options.cors);
  const servers: Server[] = [];
  const app = fastify({
    serverFactory: (handler) => {
      const times = { headersTimeout: clientTimeout, requestTimeout: clientTimeout, connectionsCheckingInterval: checkingInterval(clientTimeout) };
      const server = createServer({ ...times, keepAliveTimeout, noDelay: true, requireHostHeader: false }); // the hook below requires it
      servers.push(server);
      // a client that closes its side is not gone: Node knows this setting but does not document it
      Object.assign(server, { httpAllowHalfOpen: true });
      connections.adopt(server, handler);
      return server;
    },
    clientErrorHandler: () => {}, // of the first server alone; `connections` looks after both
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    logController: new LogController({ disableRequestLogging: true }), // the hook below logs
    logger: log === undefined ? false : { level: log.level ?? "info", stream: log.stream ?? process.stdout, base: null },
    frameworkErrors: (error, request, reply) => void sendError(error, request as FastifyRequest, reply),
  }).withTypeProvider<ZodTypeProvider>();
  // With a listener an Upgrade is taken out of HTTP, and Fastify's of the second server leaves it without a reply; without, it is passed over.
  app.addHook("onListen", async () => {
    for (const server of servers) server.removeAllListeners("upgrade");
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateReply("failure", undefined);
  app.decorateReply("told", undefined);
  readJsonOnly(app, options);
  const methods = routedMethods(app);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request, reply) => sendError(notRouted([]), request, reply)); // of a static file that is not there
  app.addHook("onRequest", async (request, reply) => {
    reply.headers({ "x-request-id": request.id, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
    if (request.headers.host === undefined && request.raw.httpVersion !== "1.0") throw new HttpError("BAD_REQUEST", "The header Host is missing.");
    checkHost(request.headers.host);
    cors.allow(request, reply);
    if (request.is404) {
      const allowed = methods.of(request.url);
      if (allowed.length > 0 && cors.isPreflight(request)) return answerPreflight(reply, allowed);
      throw notRouted(allowed); // before a body is looked at
    }
    if (keys === undefined || request.routeOptions.config.open === true) return;
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
