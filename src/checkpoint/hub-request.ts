/**
 * Requests to the Hugging Face Hub: what is sent with each, which failures are tried again, and what a person is told about the others.
 * The hub's own reason stands in the headers x-error-code and x-error-message.
 */
import { setTimeout as pause } from "node:timers/promises";
import { LecternError } from "../errors.js";
import type { HubRepository, HubSettings } from "./hub-cache.js";

export interface HubRequest {
  method?: "GET" | "HEAD" | "POST" | "PUT";
  headers?: Record<string, string>;
  /** What is sent: a text, or a part of a file, which is read anew for each try. */
  body?: string | StreamedBody;
  /** Statuses from 400 on that are answers like others. */
  answers?: readonly number[];
  /** "manual" gives a redirection back instead of following it. */
  redirect?: "follow" | "manual";
  /** How often it is tried before it counts as failed. */
  attempts?: number;
  signal?: AbortSignal;
}

/** A body of known length, so that it need not be in memory. */
export interface StreamedBody {
  bytes: number;
  read(): AsyncIterable<Uint8Array>;
}

/** What every request to the hub needs to know. */
export interface HubContext {
  settings: HubSettings;
  repository: HubRepository;
  signal?: AbortSignal;
  /** Where something is sent to the hub: what a person is told of a refusal. */
  refusalOfSending?: (context: HubContext, response: Response, reason: string) => LecternError;
}

/** What a person calls a repository of that kind. */
export function nameOf(kind: HubRepository["kind"]): string {
  return kind === "model" ? "model" : "data set";
}

const local = ({ kind }: HubRepository): string => (kind === "model" ? "model folder" : "file");

/** The address of a repository's page, below which its files lie. */
export function pageOf({ settings, repository: { kind, name } }: Pick<HubContext, "settings" | "repository">): string {
  return `${settings.endpoint}/${kind === "dataset" ? "datasets/" : ""}${name}`;
}

/** The address of a repository in the hub's interface for programs. */
export function apiOf({ settings, repository: { kind, name } }: HubContext): string {
  return `${settings.endpoint}/api/${kind}s/${name}`;
}

/** How often a request is tried. */
export const usualAttempts = 5;

/**
 * A request whose answer is a success or, with `redirect: "manual"`, a redirection.
 * @throws LecternError HUB_UNREACHABLE, HUB_NOT_FOUND, HUB_UNAUTHORIZED, HUB_FORBIDDEN
 */
export async function hubFetch(context: HubContext, url: string, request: HubRequest = {}): Promise<Response> {
  const { settings, signal } = context;
  const attempts = request.attempts ?? usualAttempts;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    let problem: unknown;
    try {
      const response = await send(settings, url, request, signal);
      if (response.status < 400 || response.status === 416 || request.answers?.includes(response.status)) return response;
      const reason = await reasonOf(response);
      if (!isPassing(response.status)) throw (context.refusalOfSending ?? refusal)(context, response, reason);
      problem = `HTTP ${response.status} ${response.statusText}`;
    } catch (error) {
      signal?.throwIfAborted();
      const root = rootCause(error);
      if (root instanceof LecternError) throw root; // reading what is sent may fail, too
      problem = error;
    }
    if (attempt >= attempts) throw unreachable(context, problem);
    await pauseBefore(context, attempt);
  }
}

/** Waits as long as before the `attempt`-th repetition of a request. */
export async function pauseBefore({ settings, signal }: HubContext, attempt: number): Promise<void> {
  await pause(settings.retryDelay * 2 ** (attempt - 1), undefined, { signal });
}

async function send(settings: HubSettings, url: string, request: HubRequest, signal: AbortSignal | undefined): Promise<Response> {
  const silence = new AbortController();
  const { body } = request;
  // A hub that has received something works on it before it answers.
  const patience = settings.idleTimeout * (body === undefined ? 1 : 4);
  const timer = setTimeout(() => silence.abort(new Error(`no answer in ${patience / 1000} s`)), patience);
  const authorization: Record<string, string> = {};
  // The token is for the hub alone; fetch itself drops it where the hub redirects to another host.
  if (settings.token && new URL(url).origin === new URL(settings.endpoint).origin)
    authorization["authorization"] = `Bearer ${settings.token}`;
  const streamed = typeof body === "object";
  try {
    return await fetch(url, {
      method: request.method ?? "GET",
      redirect: request.redirect ?? "follow",
      // Compressed answers have no length to compare with and cannot be resumed.
      headers: {
        "user-agent": "lectern",
        "accept-encoding": "identity",
        ...(streamed && { "content-length": String(body.bytes) }),
        ...authorization,
        ...request.headers,
      },
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      ...(streamed ? { body: ReadableStream.from(whileItGoesOn(body, timer)), duplex: "half" as const } : { body }),
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The pieces of a body; each that is taken begins the wait anew. */
async function* whileItGoesOn(body: StreamedBody, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  for await (const piece of body.read()) {
    timer.refresh();
    yield piece;
  }
}

/** What `work` gives, unless nothing comes for `limit` milliseconds; it is then stopped. */
export async function beforeSilence<T>(work: Promise<T>, limit: number, stop: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing came for ${limit / 1000} s`));
      stop();
    }, limit);
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** The largest list of files; those of thousands take one. */
const longestAnswer = 16 * 2 ** 20;

/** The JSON of an answer, if it is not endless. */
export async function answeredJson({ settings }: HubContext, { body }: Response): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let received = 0;
  const reader = body?.getReader();
  const cancel = (): void => void reader?.cancel().catch(() => undefined);
  while (reader) {
    const { done, value } = await beforeSilence(reader.read(), settings.idleTimeout, cancel);
    if (done) break;
    received += value.length;
    parts.push(value);
    if (received <= longestAnswer) continue;
    cancel();
    throw new Error(`an answer of more than ${longestAnswer} bytes`);
  }
  return JSON.parse(Buffer.concat(parts).toString());
}

/** Too many requests, or a fault of the server's: worth another try. */
function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** How much of a refusal is read. */
const longestReason = 16 * 2 ** 10;

/** What the hub says of a request that it did not serve: its headers, or the error in its answer. */
export async function reasonOf(response: Response): Promise<string> {
  const [code, message] = ["x-error-code", "x-error-message"].map((name) => response.headers.get(name));
  if (message !== null) await response.body?.cancel().catch(() => undefined);
  return [`HTTP ${response.status}`, code, message ?? errorIn(await beginningOf(response))].filter(Boolean).join(", ");
}

async function beginningOf({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let received = 0;
  try {
    for await (const part of body ?? []) {
      parts.push(part as Uint8Array);
      if ((received += (part as Uint8Array).length) > longestReason) break;
    }
  } catch {
    // the status says enough
  }
  return Buffer.concat(parts).toString();
}

function errorIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error.slice(0, 500) : undefined;
  } catch {
    return undefined; // a page for people, or nothing
  }
}

function refusal({ settings, repository }: HubContext, response: Response, received: string): LecternError {
  const reason = response.headers.get("x-error-code") ?? "";
  const { name, revision } = repository;
  const what = nameOf(repository.kind);
  const page = pageOf({ settings, repository });
  if (response.status === 403 || reason === "GatedRepo") {
    return new LecternError("HUB_FORBIDDEN", {
      message: `The hub does not give ${name} to ${settings.token ? "the owner of this token" : "someone without a token"}.`,
      received,
      next: `Open ${page}, accept its terms, then set HF_TOKEN to a token of that account with the right to read it.`,
    });
  }
  if (response.status === 401) {
    return new LecternError("HUB_UNAUTHORIZED", {
      message: settings.token ? `The hub does not accept the token for ${name}.` : `The hub has no public ${what} ${name}.`,
      received,
      next: settings.token
        ? `Check HF_TOKEN and the ${what}'s name.`
        : `Check the name, or give the path of a local ${local(repository)}; for a private ${what} set HF_TOKEN.`,
    });
  }
  if (response.status === 404) {
    const message =
      reason === "RevisionNotFound" ? `${name} has no revision ${revision} on the hub.` : `The hub has no ${what} ${name} (${revision}).`;
    return new LecternError("HUB_NOT_FOUND", { message, received, next: `Check the spelling, or give the path of a local ${local(repository)}.` });
  }
  return new LecternError("HUB_UNREACHABLE", { message: `The hub refused a request for ${name}.`, received, next: "Check HF_ENDPOINT." });
}

/** The error for a hub that could not be reached, or whose connections keep breaking. */
export function unreachable({ settings, repository, refusalOfSending }: HubContext, problem: unknown): LecternError {
  const isSent = refusalOfSending !== undefined;
  const root = rootCause(problem);
  const besides = isSent ? "" : ` For a ${nameOf(repository.kind)} on this machine, give its ${repository.kind === "model" ? "folder" : "files"}.`;
  return new LecternError(
    "HUB_UNREACHABLE",
    {
      message: isSent ? `Could not send ${repository.name} to ${settings.endpoint}.` : `Could not get ${repository.name} from ${settings.endpoint}.`,
      received: root instanceof Error ? root.message || root.name : String(root),
      next: `Check the network and HF_ENDPOINT, then run the same command again: it goes on where it stopped.${besides}`,
    },
    { cause: problem },
  );
}

/** fetch says only "fetch failed"; what failed is its cause. */
function rootCause(problem: unknown): unknown {
  let error = problem;
  while (error instanceof Error && error.cause instanceof Error && !(error instanceof LecternError)) error = error.cause;
  return error;
}
