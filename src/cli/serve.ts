/** `lectern serve`: models behind HTTP, until Ctrl-C; and the API keys that such a server takes. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { LecternError } from "../errors.js";
import { createApiKey } from "../serve/api-keys.js";
import { isLoopback } from "../serve/hosts.js";
import { type LogLevel, logLevels, serverDefaults } from "../serve/options.js";
import { collect, threadCount, wholeNumber, withExamples } from "./help.js";
import { Output } from "./output.js";

interface ServeOptions {
  model: string[];
  onnxFile?: string;
  host: string;
  port: number;
  allowHost: string[];
  cors: string[];
  apiKeys?: string;
  createApiKey?: string;
  threads?: number;
  import?: string[];
  maxMemory?: number;
  batchTokens: number;
  maxQueue: number;
  timeout: number;
  clientTimeout: number;
  shutdownTimeout: number;
  maxConnections: number;
  maxBody: number;
  maxContext: number;
  maxQuestion: number;
  maxQuestions: number;
  logLevel: LogLevel;
  logContent: boolean;
  json: boolean;
}

export function registerServe(program: Command): void {
  const seconds = (milliseconds: number): number => milliseconds / 1000;
  const command = program
    .command("serve")
    .description("answer questions over HTTP, with a page to ask them on")
    .option("--model <[name=]model>", "a model folder, or ORGANISATION/NAME[@REVISION] on the hub; may be repeated, the first is the default one", collect, [])
    .option("--onnx-file <name>", "the ONNX file of exported models that is run, e.g. model_quantized")
    .option("--port <n>", "0 takes a free one", wholeNumber(0), serverDefaults.port)
    .option("--host <host>", "0.0.0.0 to be reached from other machines: then use API keys", serverDefaults.host)
    .option("--allow-host <name>", "a name that the server answers to beside --host and this machine's own, behind a proxy for example; may be repeated", collect, [])
    .option("--cors <origin>", "an origin whose pages may ask from a browser, e.g. https://app.example.org, or *; may be repeated; by default none", collect, [])
    .option("--api-keys <file>", "take only requests with one of these keys")
    .option("--create-api-key <name>", "add a key to the file of --api-keys, print it once, and end")
    .option("--threads <n>", "threads that compute, a model; one a core by default", threadCount)
    .option("--max-memory <size>", "most memory of all models together, e.g. 2GB: what was used longest ago makes room", bytes)
    .option("--batch-tokens <n>", "tokens that run together", wholeNumber(1), serverDefaults.batchTokens)
    .option("--max-queue <n>", "requests of a model that may wait; further ones are answered 429", wholeNumber(1), serverDefaults.maxQueue)
    .option("--timeout <seconds>", "time within which a request is answered", wholeNumber(1), seconds(serverDefaults.timeout))
    .option("--client-timeout <seconds>", "time within which a request must have arrived and a reply been taken", wholeNumber(1), seconds(serverDefaults.clientTimeout))
    .option("--max-connections <n>", "connections at the same time", wholeNumber(1), serverDefaults.maxConnections)
    .option("--shutdown-timeout <seconds>", "time that running requests are given at the end", wholeNumber(0), seconds(serverDefaults.shutdownTimeout))
    .option("--max-body <size>", "the largest body of a request", bytes, serverDefaults.maxBodyBytes)
    .option("--max-context <n>", "characters of all contexts of a request", wholeNumber(1), serverDefaults.maxContextCharacters)
    .option("--max-question <n>", "characters of a question", wholeNumber(1), serverDefaults.maxQuestionCharacters)
    .option("--max-questions <n>", "questions of a request", wholeNumber(1), serverDefaults.maxQuestions)
    .addOption(new Option("--log-level <level>", "what is logged, as lines of JSON on stdout").choices(logLevels).default("info"))
    .option("--log-content", "log questions, contexts and answers, too", false)
    .option("--json", "with --create-api-key: print the key as JSON", false)
    .action(async (options: ServeOptions) => {
      const output = new Output(options.json);
      if (options.createApiKey !== undefined) await addKey(options.apiKeys, options.createApiKey, output);
      else await serve(options, output);
    });
  withExamples(command, [
    { line: "lectern serve --model runs/quickstart", does: "then open http://127.0.0.1:8080" },
    { line: "lectern serve --model small=runs/a --model large=runs/b --max-memory 2GB", does: "two models; requests name one" },
    { line: "lectern serve --api-keys keys.json --create-api-key alice", does: "make a key" },
    { line: "lectern serve --model runs/quickstart --host 0.0.0.0 --api-keys keys.json", does: "for other machines" },
  ]);
}

async function serve(options: ServeOptions, output: Output): Promise<void> {
  const { createServer } = await import("../serve/index.js");
  const models = namedModels(options.model);
  output.note(`loading ${Object.keys(models).join(", ")} …`);
  const server = await createServer({
    models,
    onnxFile: options.onnxFile,
    host: options.host,
    port: options.port,
    allowHosts: options.allowHost,
    cors: options.cors,
    apiKeys: options.apiKeys,
    threads: options.threads,
    imports: options.import,
    maxMemory: options.maxMemory,
    batchTokens: options.batchTokens,
    maxQueue: options.maxQueue,
    timeout: 1000 * options.timeout,
    clientTimeout: 1000 * options.clientTimeout,
    maxConnections: options.maxConnections,
    shutdownTimeout: 1000 * options.shutdownTimeout,
    maxBodyBytes: options.maxBody,
    maxContextCharacters: options.maxContext,
    maxQuestionCharacters: options.maxQuestion,
    maxQuestions: options.maxQuestions,
    log: { level: options.logLevel },
    logContent: options.logContent,
  });
  output.note(`Ask at ${server.url} (the API: ${server.url}/docs). Ctrl-C ends it.`);
  if (options.apiKeys === undefined && !isLoopback(options.host)) {
    output.note("Everyone who reaches this machine may ask: --api-keys keeps others out.");
  }
  await new Promise<void>((resolve) => {
    let isEnding = false;
    const onSignal = (): void => {
      if (isEnding) process.exit(1);
      isEnding = true;
      output.note("ending: what runs is answered (once more to end at once)");
      void server.close().then(resolve);
    };
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  });
  process.exit(); // the figures of the metrics keep timers
}

async function addKey(file: string | undefined, name: string, output: Output): Promise<void> {
  if (file === undefined) {
    throw new LecternError("ARGUMENT_MISSING", { message: "--create-api-key needs the file that the key's hash is added to.", next: "Add --api-keys FILE." });
  }
  const key = await createApiKey(file, name);
  output.note(`The key ${name}, shown this once; ${file} holds only its hash:`);
  output.result({ name, key }, () => key);
}

/** A model is called by the name before the =, else by the last part of its path or of its name on the hub. */
function namedModels(words: readonly string[]): Record<string, string> {
  if (words.length === 0) {
    throw new LecternError("ARGUMENT_MISSING", { message: "There is no model to serve.", next: "Name one: lectern serve --model runs/quickstart." });
  }
  const models = new Map<string, string>();
  for (const word of words) {
    const [, given, model] = (existsSync(word) ? null : /^([^=/\\]+)=(.+)$/.exec(word)) ?? [];
    const name = given ?? basename(word.replace(/[\\/]+$/, "")).replace(/@.*$/, "");
    if (models.has(name)) {
      throw new LecternError("SERVE_MODEL_NAME", { message: `Two models are called ${name}.`, next: `Name one otherwise: --model other=${model ?? word}.` });
    }
    models.set(name, model ?? word);
  }
  return Object.fromEntries(models);
}

const units: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9, ki: 2 ** 10, mi: 2 ** 20, gi: 2 ** 30 };

/** "500MB", "2GB", "1.5GiB" or a number of bytes. */
function bytes(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmg]i?)?b?$/i.exec(text.trim()) ?? [];
  if (number === undefined || Number(number) === 0) throw new InvalidArgumentError("It must be a size such as 500MB, 2GB or 1.5GiB.");
  return Math.round(Number(number) * units[unit.toLowerCase()]);
}
