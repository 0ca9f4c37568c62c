/** Servers for tests: the real one, its models' processes included, in this process or as `lectern serve`. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Serve from "../src/serve/index.js";
import { compiledSources } from "./compiled-sources.js";

/** `lectern/serve` from compiled sources, since a model's process is started from a file of JavaScript. */
export async function loadServe(): Promise<typeof Serve> {
  return (await import(pathToFileURL(join(compiledSources(), "src/serve/index.js")).href)) as typeof Serve;
}

export interface Reply {
  status: number;
  headers: Headers;
  // what is asked for differs from test to test, and expect looks at it
  body: unknown;
}

/** POSTs to a server; a body that is no text or bytes yet is sent as JSON. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Reply> {
  const raw = typeof body === "string" || body instanceof Uint8Array ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body);
  const response = await fetch(`${url}/v1/question-answering`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: raw,
    signal,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** GETs a path. */
export async function get(url: string, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(url + path, { headers });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return { status: response.status, headers: response.headers, body: isJson ? (JSON.parse(text) as unknown) : text };
}

/** A figure of /metrics. */
export async function metric(url: string, name: string): Promise<number | undefined> {
  const { body } = await get(url, "/metrics");
  const line = (body as string).split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

/** Resolves when the condition holds; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const started = Date.now(); !(await condition()); ) {
    if (Date.now() - started > 10_000) throw new Error("it does not come about");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Text of about so many tokens, of words that do not repeat in step. */
export function longText(words: number): string {
  const some = ["the", "engine", "of", "London", "was", "designed", "by", "Ada", "in", "1843", "for", "weaving", "numbers"];
  return Array.from({ length: words }, (_, at) => some[(at * at + 3 * at) % some.length]).join(" ");
}
