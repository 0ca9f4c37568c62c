/** What Prometheus reads: requests, their durations, queues, batches, crashes and memory, each by model. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ModelService } from "./model-service.js";

export interface ServerMetrics {
  readonly contentType: string;
  /** The text format of Prometheus. */
  print(): Promise<string>;
  /** @param model undefined where the request named none that is served */
  answered(model: string | undefined, status: number, seconds: number): void;
  ran(model: string, batch: { tokens: number; windows: number }): void;
  crashed(model: string): void;
}

/** @param services whose queues, memory and state are looked at when the figures are read */
export function serverMetrics(services: () => readonly ModelService[]): ServerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: "lectern_requests_total",
    help: "Requests for answers, by model and status of HTTP.",
    labelNames: ["model", "status"] as const,
    registers,
  });
  const duration = new Histogram({
    name: "lectern_request_duration_seconds",
    help: "From the arrival of a request for answers to its reply.",
    labelNames: ["model"] as const,
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const batchTokens = new Histogram({
    name: "lectern_batch_tokens",
    help: "Tokens that run together.",
    labelNames: ["model"] as const,
    buckets: [64, 128, 256, 512, 1024, 2048, 4096, 8192],
    registers,
  });
  const windows = new Counter({ name: "lectern_windows_total", help: "Windows of contexts that were read.", labelNames: ["model"] as const, registers });
  const restarts = new Counter({
    name: "lectern_process_restarts_total",
    help: "Inference processes that crashed and were started again.",
    labelNames: ["model"] as const,
    registers,
  });
  const gauge = (name: string, help: string, value: (service: ModelService) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ["model"] as const,
      registers,
      collect() {
        for (const service of services()) this.set({ model: service.name }, value(service));
      },
    });
  };
  gauge("lectern_queue_depth", "Requests that wait or run.", ({ depth }) => depth);
  gauge("lectern_model_loaded", "1 when the model is in memory.", ({ state }) => Number(state === "ready"));
  gauge("lectern_model_memory_bytes", "Resident memory of the model's process, 0 when it is not loaded.", ({ state, memory }) =>
    state === "ready" ? memory : 0,
  );
  return {
    contentType: registry.contentType,
    print: () => registry.metrics(),
    answered: (model, status, seconds) => {
      requests.inc({ model: model ?? "", status: String(status) });
      if (model !== undefined) duration.observe({ model }, seconds);
    },
    ran: (model, batch) => {
      batchTokens.observe({ model }, batch.tokens);
      windows.inc({ model }, batch.windows);
    },
    crashed: (model) => restarts.inc({ model }),
  };
}
