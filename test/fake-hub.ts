/** A server that speaks the hub's API, with a model named org/tiny, other repositories, and troubles on request. Python's huggingface_hub works with it. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { expect } from "vitest";
import { receiveUpload } from "./fake-hub-uploads.js";

/** The one commit that org/tiny has. */
export const commit = "0123456789abcdef0123456789abcdef01234567";
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const gitSha1 = (bytes: Uint8Array): string => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

/** What the pretended hub does with a request; where it returns false it does what the hub does, and tries it on the next. */
export type Trouble = (request: IncomingMessage, response: ServerResponse, content: Uint8Array | undefined) => boolean;

/** A revision of a repository: a branch and the commit that it points to. */
export interface FakeRevision {
  commit: string;
  files: Record<string, Uint8Array>;
}

export interface FakeRepository {
  isPrivate: boolean;
  revisions: Record<string, FakeRevision>;
  /** What was written into it, newest last. */
  messages: string[];
}

export interface FakeHub {
  readonly endpoint: string;
  /** What the model org/tiny consists of. */
  files: Record<string, Uint8Array>;
  /** All others, by "models/ORG/NAME" and "datasets/ORG/NAME". */
  repositories: Record<string, FakeRepository>;
  /** Large files that were sent, by SHA-256, whether or not a commit names them. */
  large: Map<string, Uint8Array>;
  /** Parts of them, by "SHA-256/NUMBER". */
  parts: Map<string, Uint8Array>;
  /** Method, path and range of every request. */
  log: string[];
  /** Each for one request, in this order. */
  trouble: Trouble[];
  close(): Promise<void>;
}

export async function openFakeHub(files: Record<string, Uint8Array> = {}): Promise<FakeHub> {
  const server = createServer((request, response) => void answer(hub, request, response));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const hub: FakeHub = {
    endpoint: `http://127.0.0.1:${portOf(server)}`,
    files,
    repositories: {},
    large: new Map(),
    parts: new Map(),
    log: [],
    trouble: [],
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return hub;
}

/** A repository with one revision or several, each with a commit of its own. */
export function fakeRepository(revisions: Record<string, Record<string, Uint8Array | string>>): FakeRepository {
  const made = Object.entries(revisions).map(([name, files]): [string, FakeRevision] => [
    name,
    { commit: gitSha1(Buffer.from(name)), files: Object.fromEntries(Object.entries(files).map(([file, content]) => [file, Buffer.from(content)])) },
  ]);
  return { isPrivate: false, revisions: Object.fromEntries(made), messages: [] };
}

/** A request's repository, and what it asks of it. */
interface Asked {
  key: string;
  words: string[];
}

/** Lists of files, and files, those that are large on a second path as from the hub's CDN. */
async function answer(hub: FakeHub, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const words = (request.url ?? "").split("?")[0].split("/").slice(1).map(decodeURIComponent);
  hub.log.push(`${request.method} /${words.join("/")}${request.headers.range ? ` ${request.headers.range}` : ""}`);
  const file = contentOf(hub, words);
  const next = hub.trouble.at(0);
  if (next?.(request, response, file)) {
    hub.trouble.shift();
    return;
  }
  const refuse = (status: number, code: string): void => void response.writeHead(status, { "x-error-code": code }).end();
  const { key, words: rest } = repositoryOf(words);
  const name = key.replace(/^\w+\//, "");
  if (["POST", "PUT"].includes(request.method ?? "")) return receiveUpload(hub, request, response, { words, key });
  if (words.join("/") === "api/whoami-v2") {
    if (request.headers.authorization !== "Bearer right") return refuse(401, "");
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ name: "me", type: "user" }));
  }
  if (words[0] === "api" && name === "org/private") {
    if (request.headers.authorization === undefined) return refuse(401, "RepoNotFound");
    return refuse(request.headers.authorization === "Bearer wrong" ? 401 : 403, "");
  }
  if (words[0] === "api" && name === "org/gated") return refuse(401, "GatedRepo");
  if (words[0] === "cdn") {
    if (file === undefined) return refuse(404, "EntryNotFound");
    expect(request.headers.authorization).toBeUndefined(); // the token stays with the hub
    return sendContent(request, response, file, { etag: '"of-the-cdn"' });
  }
  const repository = repositoryNamed(hub, key);
  if (repository === undefined) return refuse(404, "RepoNotFound");
  if (repository.isPrivate && !["Bearer right", "Bearer read"].includes(request.headers.authorization ?? "")) return refuse(401, "RepoNotFound");
  const revision = revisionNamed(repository, words[0] === "api" ? (rest[1] ?? "main") : rest[1]);
  if (revision === undefined) return refuse(404, "RevisionNotFound");
  if (words[0] === "api" && rest[0] === "tree") {
    const entries = Object.entries(revision.files).map(([path, content]) => ({
      type: "file",
      path,
      size: content.length,
      oid: gitSha1(content),
      ...(isLarge(path) && { lfs: { oid: sha256(content), size: content.length, pointerSize: 134 } }),
    }));
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(entries));
  }
  if (words[0] === "api") {
    const siblings = Object.keys(revision.files).map((rfilename) => ({ rfilename }));
    const body = { id: name, sha: revision.commit, siblings, private: repository.isPrivate, tags: [], downloads: 0, likes: 0, disabled: false };
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  }
  if (file === undefined) return refuse(404, "EntryNotFound");
  const path = rest.slice(2).join("/");
  const headers = { "x-repo-commit": revision.commit };
  if (isLarge(path)) {
    const location = `${hub.endpoint.replace("127.0.0.1", "localhost")}/cdn/${key === "models/org/tiny" ? "" : `${key}/${revision.commit}/`}${path}`; // another origin
    return void response.writeHead(302, { ...headers, location, "x-linked-etag": `"${sha256(file)}"`, "x-linked-size": file.length }).end();
  }
  sendContent(request, response, file, { ...headers, etag: `"${gitSha1(file)}"` });
}

export const isLarge = (path: string): boolean => /\.(safetensors|parquet|onnx)$/.test(path);

/** "models/ORG/NAME" or "datasets/ORG/NAME" of /api/models/ORG/NAME/…, /ORG/NAME/… and /datasets/ORG/NAME/…, and the words behind it. */
function repositoryOf(words: string[]): Asked {
  const [first, ...others] = words;
  if (first === "api") return { key: others.slice(0, 3).join("/"), words: others.slice(3) };
  if (first === "datasets") return { key: words.slice(0, 3).join("/"), words: words.slice(3) };
  return { key: `models/${words.slice(0, 2).join("/")}`, words: words.slice(2) };
}

function repositoryNamed(hub: FakeHub, key: string): FakeRepository | undefined {
  if (key !== "models/org/tiny") return Object.hasOwn(hub.repositories, key) ? hub.repositories[key] : undefined;
  const tiny = { commit, files: hub.files };
  return { isPrivate: false, revisions: { main: tiny, "refs/pr/1": tiny }, messages: [] };
}

function revisionNamed({ revisions }: FakeRepository, name: string): FakeRevision | undefined {
  return Object.hasOwn(revisions, name) ? revisions[name] : Object.values(revisions).find((one) => one.commit === name);
}

function contentOf(hub: FakeHub, words: string[]): Uint8Array | undefined {
  const isCdn = words[0] === "cdn";
  const isOther = isCdn && ["models", "datasets"].includes(words[1]);
  const { key, words: rest } = isCdn ? { key: isOther ? words.slice(1, 4).join("/") : "models/org/tiny", words: ["resolve", isOther ? words[4] : commit, ...words.slice(isOther ? 5 : 1)] } : repositoryOf(words);
  if (rest[0] !== "resolve") return undefined;
  const repository = repositoryNamed(hub, key);
  const files = repository && revisionNamed(repository, rest[1])?.files;
  const path = rest.slice(2).join("/");
  return files && Object.hasOwn(files, path) ? files[path] : undefined;
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
