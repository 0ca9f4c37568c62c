/** A server from its options: models found and loaded, routes registered, and both ended in order. */
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { resolveModel } from "../checkpoint/hub.js";
import { LecternError } from "../errors.js";
import { readApiKeys } from "./api-keys.js";
import { createApp } from "./app.js";
import { Connections } from "./connections.js";
import type { ModelSource } from "./inference-process.js";
import { serverMetrics } from "./metrics.js";
import { ModelRegistry } from "./model-registry.js";
import { registerOpenApi } from "./openapi.js";
import { resolveOptions, type ServerOptions } from "./options.js";
import { registerPage } from "./page-routes.js";
import { registerQuestionRoute } from "./question-route.js";
import { registerStatusRoutes } from "./status-routes.js";

/** A server that listens. */
export interface Server {
  /** Where it is reached, e.g. http://127.0.0.1:8080. */
  readonly url: string;
  /** Process ids of the models in memory, by name: each is a process of its own. */
  readonly processes: Readonly<Record<string, number>>;
  /** Takes no new requests, answers those that it has, and ends; what has not ended after `shutdownTimeout` is given up. */
  close(): Promise<void>;
}

/**
 * Serves question-answering models over HTTP, until it is closed.
 * @throws LecternError FILE_MISSING and others of finding and loading a model, SERVE_MODEL_NAME, SERVE_MEMORY, SERVE_ADDRESS, SERVE_ALLOWED, API_KEYS
 * @example
 * import { createServer } from "lectern/serve";
 * const server = await createServer({ models: { reader: "runs/quickstart" }, port: 0 });
 * const response = await fetch(`${server.url}/v1/question-answering`, {
 *   method: "POST",
 *   headers: { "content-type": "application/json" },
 *   body: JSON.stringify({ question: "Who wrote it?", context: "It was written by Ada." }),
 * });
 * console.log(await response.json()); // { score, start, end, answer }
 * await server.close();
 */
export async function createServer(given: ServerOptions): Promise<Server> {
  const options = resolveOptions(given);
  const keys = options.apiKeys === undefined ? undefined : await readApiKeys(options.apiKeys);
  const sources = await findModels(options);
  const connections = new Connections(options);
  const app = createApp(options, keys, connections);
  const metrics = serverMetrics(() => registry.services);
  const { threads, imports, maxMemory, batchTokens, maxQueue, maxQueueCharacters, maxRequestTokens, timeout } = options;
  const registry = new ModelRegistry(
    sources,
    { threads, imports, maxMemory, batchTokens, maxQueue, maxQueueCharacters, maxRequestTokens, patience: Math.max(60_000, timeout) },
    {
      loaded: ({ name }, isTrained) => {
        if (!isTrained) app.log.warn({ model: name }, "the model is not trained to answer questions: its answers are random");
      },
      ran: ({ name }, batch) => metrics.ran(name, batch),
      crashed: ({ name }, how, pause) => {
        metrics.crashed(name);
        app.log.error({ model: name, how, pause }, "the inference process ended; it is started again");
      },
      notLoaded: ({ name }, error) => app.log.error({ model: name, err: error }, "the model could not be loaded"),
    },
  );
  let isDraining = false;
  /** What is given up is answered, for which there is always a moment. */
  const end = async (milliseconds: number): Promise<void> => {
    await Promise.all([registry.close(), app.close(), connections.end(Math.max(milliseconds, 500))]);
  };
  try {
    await registerOpenApi(app, await packageVersion(), keys !== undefined);
    registerQuestionRoute(app, { registry, metrics, options, isDraining: () => isDraining });
    registerStatusRoutes(app, { registry, metrics, isDraining: () => isDraining });
    await registerPage(app);
    await registry.loadFirst();
    await listen(options, (address) => app.listen(address));
  } catch (error) {
    await end(0);
    throw error;
  }
  const { address, family, port } = app.server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    get processes() {
      return Object.fromEntries(registry.services.flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, pid]])));
    },
    close: () => {
      isDraining = true;
      const until = performance.now() + options.shutdownTimeout;
      return (closing ??= registry.finish(options.shutdownTimeout).then(() => end(until - performance.now())));
    },
  };
}

/** Requests name a model by these characters alone; nothing that they send is ever taken for a path. */
const modelName = /^[\w][\w.@-]*(\/[\w.@-]+)?$/;

async function findModels({ models, onnxFile }: ServerOptions): Promise<Map<string, ModelSource>> {
  const entries = Object.entries(models);
  const wrong = entries.map(([name]) => name).find((name) => !modelName.test(name));
  if (wrong !== undefined || entries.length === 0) {
    throw new LecternError("SERVE_MODEL_NAME", {
      message: wrong === undefined ? "There is no model to serve." : `${JSON.stringify(wrong)} cannot be a model's name.`,
      expected: "letters, digits and . _ - @, with at most one /",
      next: "Name it: --model NAME=FOLDER.",
    });
  }
  const found = entries.map(async ([name, model]): Promise<[string, ModelSource]> => [name, { folder: await resolveModel(model), onnxFile }]);
  return new Map(await Promise.all(found));
}

async function listen({ host, port }: { host: string; port: number }, open: (address: { host: string; port: number }) => Promise<unknown>): Promise<void> {
  try {
    await open({ host, port });
  } catch (error) {
    const reasons: Record<string, string> = { EADDRINUSE: "the port is taken", EACCES: "the port needs more rights", EADDRNOTAVAIL: "the host is not this machine's" };
    const reason = reasons[(error as NodeJS.ErrnoException).code ?? ""] ?? (error as NodeJS.ErrnoException).code;
    if (reason === undefined) throw error;
    throw new LecternError("SERVE_ADDRESS", { message: `The server cannot listen on ${host}:${port}.`, received: reason, next: "Choose another with --port and --host." }, { cause: error });
  }
}

async function packageVersion(): Promise<string> {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(await readFile(file, "utf8")) as { version: string }).version;
}
