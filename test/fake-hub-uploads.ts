/**
 * What the pretended hub does with uploads, as the real one does: a repository is made; each file is asked about (preupload), large ones are
 * sent by Git LFS's protocol in one piece or in parts, and a commit of NDJSON names all of them. The token "right" may write into the accounts "me"
 * and "org", not into "others"; the token "read" may not write.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type FakeHub, fakeRepository, gitSha1, isLarge, sha256 } from "./fake-hub.js";

/** Larger files are sent in parts of this size. */
export const partSize = 100_000;

type Reply = (status: number, body: unknown, headers?: Record<string, string>) => void;

export async function receiveUpload(
  hub: FakeHub,
  request: IncomingMessage,
  response: ServerResponse,
  { words, key }: { words: string[]; key: string },
): Promise<void> {
  const reply: Reply = (status, body, headers = {}) =>
    void response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
  } catch {
    return; // whoever sent it is gone
  }
  const body = Buffer.concat(chunks);
  if (words[0] === "storage") return store(hub, request, body, words, response);
  if (words[0] === "complete") return complete(hub, JSON.parse(body.toString()) as Completion, reply); // a signed address, to which Python sends no token
  const { authorization } = request.headers;
  if (authorization !== "Bearer right") {
    if (authorization === "Bearer read") return reply(403, { error: "You don't have the rights to create a model under this namespace" });
    return reply(401, { error: "Invalid username or password." });
  }
  const path = words.join("/");
  if (path === "api/repos/create") return create(hub, JSON.parse(body.toString()) as Creation, reply);
  if (path === "api/validate-yaml") return reply(200, { errors: [], warnings: [] });
  if (path.endsWith("/info/lfs/objects/batch")) return batch(hub, JSON.parse(body.toString()) as Batch, reply);
  if (words[0] === "verify") return reply(hub.large.has((JSON.parse(body.toString()) as { oid: string }).oid) ? 200 : 404, {});
  change(hub, { key, action: words[4], revision: words[5] }, body, reply);
}

interface Creation {
  name: string;
  organization?: string | null;
  type?: string;
  visibility?: string;
}

function create(hub: FakeHub, { name, organization, type = "model", visibility }: Creation, reply: Reply): void {
  const owner = organization ?? "me";
  if (owner === "others") return reply(403, { error: `You don't have the rights to create a model under the namespace "others"` });
  if (!["me", "org"].includes(owner)) return reply(404, { error: `No such organization: ${owner}` });
  const made = `${type}s/${owner}/${name}`;
  if (name === "taken") return reply(409, { error: "A collection of this name exists already" });
  if (made in hub.repositories) return reply(409, { error: "You already created this model repo", url: made });
  hub.repositories[made] = { ...fakeRepository({ main: { ".gitattributes": "*.safetensors filter=lfs\n" } }), isPrivate: visibility === "private" };
  reply(200, { url: `${hub.endpoint}/${owner}/${name}`, name: `${owner}/${name}` });
}

/** Branches, preupload and commits of a repository. */
function change(hub: FakeHub, { key, action, revision }: { key: string; action: string; revision: string }, body: Buffer, reply: Reply): void {
  const repository = Object.hasOwn(hub.repositories, key) ? hub.repositories[key] : undefined;
  if (!repository) return reply(404, { error: "Repository not found" }, { "x-error-code": "RepoNotFound" });
  if (key.startsWith("models/others/")) return reply(403, { error: "You don't have write access" });
  if (action === "branch") {
    if (revision in repository.revisions) return reply(409, { error: "Reference already exists" });
    repository.revisions[revision] = structuredClone(repository.revisions["main"]);
    return reply(200, {});
  }
  const branch = Object.hasOwn(repository.revisions, revision) ? repository.revisions[revision] : undefined;
  if (!branch) return reply(404, { error: `Invalid rev id: ${revision}` }, { "x-error-code": "RevisionNotFound" });
  if (action === "preupload") {
    const { files } = JSON.parse(body.toString()) as { files: { path: string }[] };
    const answers = files.map((file) => {
      const present = Object.hasOwn(branch.files, file.path) ? branch.files[file.path] : undefined;
      const oid = present && (isLarge(file.path) ? sha256(present) : gitSha1(present));
      return { path: file.path, uploadMode: isLarge(file.path) ? "lfs" : "regular", shouldIgnore: false, ...(oid && { oid }) };
    });
    return reply(200, { files: answers });
  }
  if (action !== "commit") return reply(404, { error: `no such place: ${action}` });
  const files = { ...branch.files };
  let message = "";
  for (const line of body.toString().split("\n").filter(Boolean)) {
    const { key: kind, value } = JSON.parse(line) as { key: string; value: Record<string, string> };
    if (kind === "header") message = value["summary"];
    else if (kind === "file") {
      const content = Buffer.from(value["content"], "base64");
      // The real one reads the front matter with YAML and more.
      if (value["path"] === "README.md" && content.includes("base_model: /")) return reply(400, { error: 'Invalid metadata in README.md: "base_model" must be a model id' });
      files[value["path"]] = content;
    } else if (kind === "lfsFile") {
      const content = hub.large.get(value["oid"]);
      if (!content) return reply(400, { error: `${value["path"]}: its content was not sent` });
      files[value["path"]] = content;
    }
  }
  branch.files = files;
  repository.messages.push(message);
  branch.commit = gitSha1(Buffer.from(JSON.stringify([repository.messages, Object.entries(files).map(([name, file]) => [name, sha256(file)])])));
  reply(200, { success: true, commitOid: branch.commit, commitUrl: `${hub.endpoint}/${key.replace(/^models\//, "")}/commit/${branch.commit}` });
}

interface Batch {
  transfers: string[];
  objects: { oid: string; size: number }[];
}

/** Objects that are there have no actions: nothing is to be sent. */
function batch(hub: FakeHub, { transfers, objects }: Batch, reply: Reply): void {
  const storage = hub.endpoint.replace("127.0.0.1", "localhost"); // another origin, as the hub's storage is
  const answers = objects.map(({ oid, size }) => {
    if (hub.large.has(oid)) return { oid, size };
    const verify = { href: `${hub.endpoint}/verify` };
    if (size <= partSize || !transfers.includes("multipart")) return { oid, size, actions: { upload: { href: `${storage}/storage/${oid}` }, verify } };
    const urls = Array.from({ length: Math.ceil(size / partSize) }, (_, i) => [String(i + 1).padStart(5, "0"), `${storage}/storage/${oid}/${i + 1}`]);
    const header = { chunk_size: String(partSize), ...Object.fromEntries(urls) };
    return { oid, size, actions: { upload: { href: `${hub.endpoint}/complete`, header }, verify } };
  });
  reply(200, { transfer: "basic", objects: answers });
}

/** PUT /storage/OID, or a part of it as /storage/OID/NUMBER. */
function store(hub: FakeHub, { headers }: IncomingMessage, body: Buffer, [, oid, part]: string[], response: ServerResponse): void {
  if (headers.authorization !== undefined) return void response.writeHead(400).end("the token is for the hub alone");
  if (headers["content-length"] === undefined) return void response.writeHead(501).end("NotImplemented: Transfer-Encoding"); // as S3 does
  if (part === undefined) {
    if (sha256(body) !== oid) return void response.writeHead(400).end("BadDigest");
    hub.large.set(oid, body);
  } else hub.parts.set(`${oid}/${part}`, body);
  response.writeHead(200, { etag: part === undefined ? `"${oid}"` : `"${oid}-${part}"` }).end();
}

interface Completion {
  oid: string;
  parts: { partNumber: number; etag: string }[];
}

function complete(hub: FakeHub, { oid, parts }: Completion, reply: Reply): void {
  const wholes = parts.map(({ partNumber, etag }) => (etag === `"${oid}-${partNumber}"` ? hub.parts.get(`${oid}/${partNumber}`) : undefined) ?? Buffer.of());
  const whole = Buffer.concat(wholes);
  if (sha256(whole) !== oid) return reply(400, { error: "the parts do not make the file" });
  hub.large.set(oid, whole);
  reply(200, {});
}
