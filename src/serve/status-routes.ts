/** What others ask of the server itself: which models there are, whether it lives, whether it can answer, and its figures. */
import type { App } from "./app.js";
import { HttpError } from "./http-error.js";
import type { ServerMetrics } from "./metrics.js";
import type { ModelRegistry } from "./model-registry.js";
import { errorReply, health, modelList } from "./schemas.js";

export interface StatusRoutes {
  readonly registry: ModelRegistry;
  readonly metrics: ServerMetrics;
  isDraining(): boolean;
}

export function registerStatusRoutes(app: App, { registry, metrics, isDraining }: StatusRoutes): void {
  const tags = ["status"];
  app.get("/v1/models", { schema: { summary: "The models that are served", tags, response: { 200: modelList, 401: errorReply } } }, async () => ({
    object: "list" as const,
    data: registry.services.map(({ name, state }) => ({
      id: name,
      object: "model" as const,
      task: "question-answering" as const,
      loaded: state === "ready",
    })),
  }));

  const open = { config: { open: true } };
  app.get("/healthz", { ...open, schema: { summary: "Whether the server lives", tags, response: { 200: health } } }, async () => ({ status: "ok" }));

  app.get(
    "/readyz",
    { ...open, schema: { summary: "Whether the server answers: 503 while it shuts down or no model is in memory", tags, response: { 200: health, 503: errorReply } } },
    async () => {
      if (isDraining()) throw new HttpError("SHUTTING_DOWN", "The server is shutting down.");
      if (!registry.isMakingRoom && !registry.services.some(({ state }) => state === "ready")) throw new HttpError("MODEL_UNAVAILABLE", "No model is in memory.");
      return { status: "ready" };
    },
  );

  app.get("/metrics", { schema: { summary: "Figures for Prometheus", tags } }, async (_request, reply) => {
    return reply.type(metrics.contentType).send(await metrics.print());
  });
}
