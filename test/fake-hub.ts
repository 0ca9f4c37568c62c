/** A server that speaks the hub's API, with a model named org/tiny and troubles on request. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { expect } from "vitest";

/** The one commit that the model has. */
export const commit = "0123456789abcdef0123456789abcdef01234567";
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const gitSha1 = (bytes: Uint8Array): string => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

/** What the pretended hub does with a request; where it returns false it does what the hub does, and tries it on the next. */
export type Trouble = (request: IncomingMessage, response: ServerResponse, content: Uint8Array | undefined) => boolean;

export interface FakeHub {
  readonly endpoint: string;
  /** What the model consists of. */
  files: Record<string, Uint8Array>;
  /** Method, path and range of every request. */
  log: string[];
  /** Each for one request, in this order. */
  trouble: Trouble[];
  close(): Promise<void>;
}

export async function openFakeHub(files: Record<string, Uint8Array>): Promise<FakeHub> {
  const server = createServer((request, response) => answer(hub, portOf(server), request, response));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const hub: FakeHub = {
    endpoint: `http://127.0.0.1:${portOf(server)}`,
    files,
    log: [],
    trouble: [],
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return hub;
}

/** The list of a model's files, and its files, those of weights on a second path as from the hub's CDN. */
function answer(hub: FakeHub, port: number, request: IncomingMessage, response: ServerResponse): void {
  const { files } = hub;
  const url = decodeURIComponent(request.url ?? "");
  hub.log.push(`${request.method} ${url}${request.headers.range ? ` ${request.headers.range}` : ""}`);
  const file = url.replace(/^\/(org\/tiny\/resolve\/[^/]+|cdn)\//, "");
  const content = Object.hasOwn(files, file) ? files[file] : undefined;
  const next = hub.trouble.at(0);
  if (next?.(request, response, content)) {
    hub.trouble.shift();
    return;
  }
  const refuse = (status: number, code: string): void => void response.writeHead(status, { "x-error-code": code }).end();
  if (url.startsWith("/api/models/org/private/")) {
    if (request.headers.authorization === undefined) return refuse(401, "RepoNotFound");
    return refuse(request.headers.authorization === "Bearer wrong" ? 401 : 403, "");
  }
  if (url.startsWith("/api/models/org/gated/")) return refuse(401, "GatedRepo");
  if (url.startsWith("/api/models/")) {
    const revision = /^\/api\/models\/org\/tiny\/revision\/(.+)$/.exec(url)?.[1];
    if (revision === undefined) return refuse(404, "RepoNotFound");
    if (!["main", "refs/pr/1", commit].includes(revision)) return refuse(404, "RevisionNotFound");
    const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ id: "org/tiny", sha: commit, siblings }));
    return;
  }
  if (content === undefined) return refuse(404, "EntryNotFound");
  const isLarge = file.endsWith(".safetensors");
  if (url.startsWith("/org/tiny/resolve/")) {
    const headers = { "x-repo-commit": commit };
    if (isLarge) {
      const location = `http://localhost:${port}/cdn/${file}`; // another origin than 127.0.0.1
      response.writeHead(302, { ...headers, location, "x-linked-etag": `"${sha256(content)}"`, "x-linked-size": content.length }).end();
      return;
    }
    sendContent(request, response, content, { ...headers, etag: `"${gitSha1(content)}"` });
    return;
  }
  expect(request.headers.authorization).toBeUndefined(); // the token stays with the hub
  sendContent(request, response, content, { etag: '"of-the-cdn"' });
}

function sendContent(request: IncomingMessage, response: ServerResponse, content: Uint8Array, headers: Record<string, string>): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const length = content.length - start;
  const range = request.headers.range ? { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` } : {};
  response.writeHead(request.headers.range ? 206 : 200, { ...headers, ...range, "content-length": length });
  response.end(request.method === "HEAD" ? undefined : content.subarray(start));
}

function portOf(listening: Server): number {
  const address = listening.address();
  if (typeof address !== "object" || address === null) throw new Error("the server does not listen");
  return address.port;
}
