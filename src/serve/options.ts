/** What a server can be told, and what it does when it is told nothing. */
export interface ServerOptions {
  /** Models by the names that requests call them by: folders, or names on the Hugging Face Hub. The first answers requests that name none. */
  readonly models: Readonly<Record<string, string>>;
  /** Which ONNX file of exported models is run, e.g. model_quantized. Default: their weights, or the first of their ONNX files. */
  readonly onnxFile?: string;
  /** Default 127.0.0.1: this machine only. */
  readonly host?: string;
  /** Default 8080; 0 takes a free one. */
  readonly port?: number;
  /** Names that the server answers to, beside `host` and this machine's own; without any, one that other machines reach answers to all. */
  readonly allowHosts?: readonly string[];
  /** Origins whose pages may ask from a browser: https://app.example.org, `null`, or * for all. Default: none. */
  readonly cors?: readonly string[];
  /** File of hashed API keys, as `lectern serve --create-api-key` writes it. Without it everyone who reaches the server may ask. */
  readonly apiKeys?: string;
  /** Modules that each model's process imports first: they add the architectures and ops that models need (docs/extending.md). Default: none. */
  readonly imports?: readonly string[];
  /** Threads that compute, a model. Default: one a core. */
  readonly threads?: number;
  /** Bytes that the processes of all models may take together; the least recently used is unloaded for another. Default: no ceiling. */
  readonly maxMemory?: number;
  /** Tokens that run together. */
  readonly batchTokens?: number;
  /** Requests of a model that may wait or run; further ones are answered 429. */
  readonly maxQueue?: number;
  /** Characters of all of them together; a request that comes to an empty queue is taken whatever its size. */
  readonly maxQueueCharacters?: number;
  /** Milliseconds within which a request is answered, else 504. */
  readonly timeout?: number;
  /** Milliseconds that running requests are given when the server is closed. */
  readonly shutdownTimeout?: number;
  /** Milliseconds within which a request must have arrived whole, else 408, and a reply been taken. */
  readonly clientTimeout?: number;
  /** Milliseconds that a connection may wait for its next request. */
  readonly keepAliveTimeout?: number;
  /** Connections at the same time; beyond it one that asks nothing is closed for a new one. */
  readonly maxConnections?: number;
  readonly maxBodyBytes?: number;
  readonly maxQuestionCharacters?: number;
  /** Characters of all contexts of a request, one that several questions share counted for each. */
  readonly maxContextCharacters?: number;
  readonly maxQuestions?: number;
  /** Tokens of all windows of a request, so that no overlap of windows turns a small request into hours of work. */
  readonly maxRequestTokens?: number;
  /** Where the structured log goes. Default: nowhere. */
  readonly log?: { readonly level?: LogLevel; readonly stream?: { write(line: string): void } };
  /** Put questions, contexts and answers into the log. */
  readonly logContent?: boolean;
}

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export const serverDefaults = {
  host: "127.0.0.1",
  port: 8080,
  allowHosts: [] as readonly string[],
  cors: [] as readonly string[],
  batchTokens: 1024,
  maxQueue: 128,
  maxQueueCharacters: 1_000_000,
  timeout: 60_000,
  shutdownTimeout: 30_000,
  clientTimeout: 30_000,
  keepAliveTimeout: 72_000,
  maxConnections: 1024,
  maxBodyBytes: 2 * 2 ** 20,
  maxQuestionCharacters: 2_000,
  maxContextCharacters: 500_000,
  maxQuestions: 128,
  maxRequestTokens: 400_000,
} as const;

export type ResolvedOptions = Required<Pick<ServerOptions, "models" | keyof typeof serverDefaults>> & ServerOptions;

export function resolveOptions(options: ServerOptions): ResolvedOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as unknown as ServerOptions;
  return { ...serverDefaults, ...given };
}
