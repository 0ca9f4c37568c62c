import { Command } from "commander";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openSafetensors } from "../checkpoint/safetensors.js";
import { registerConvert } from "./convert.js";
import { registerPull } from "./pull.js";

const commit = "89abcdef0123456789abcdef0123456789abcdef";
let root: string;
let server: Server;
let printed: string;
let progress: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "pull-"));
  const folder = "starter/minilm-l6";
  const names = ["config.json", "model.safetensors", "tokenizer.json"];
  server = createServer((request, response) => {
    const url = request.url ?? "";
    const name = names.find((file) => url.endsWith(`/${file}`));
    if (url.startsWith("/api/")) response.end(JSON.stringify({ sha: commit, siblings: names.map((rfilename) => ({ rfilename })) }));
    else if (name) {
      const content = readFileSync(path.join(folder, name));
      const etag = createHash("sha256").update(content).digest("hex");
      response.writeHead(200, { etag: `"${etag}"`, "content-length": content.length });
      response.end(request.method === "HEAD" ? undefined : content);
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`);
  vi.stubEnv("HF_HOME", root);
  printed = progress = "";
  vi.spyOn(console, "log").mockImplementation((line: string) => void (printed += `${line}\n`));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((progress += String(text)), true));
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await new Promise((resolve) => server.close(resolve));
  await rm(root, { recursive: true });
});

async function lectern(...words: string[]): Promise<void> {
  const program = new Command();
  registerPull(program);
  registerConvert(program);
  await program.parseAsync(words, { from: "user" });
}

test("pull prints the folder, and its progress on stderr", async () => {
  await lectern("pull", "org/tiny");
  expect(printed).toBe(`${path.join(root, "hub", "models--org--tiny", "snapshots", commit)}\n`);
  expect(progress).toMatch(/config.json {2}0.0 MB\n[\s\S]*model.safetensors {2}45.4 MB\n$/);
});

test("pull --json prints what was brought", async () => {
  await lectern("pull", "org/tiny@main", "--json");
  expect(JSON.parse(printed)).toMatchObject({ model: "org/tiny@main", commit, files: [{ name: "config.json", bytes: 612 }, {}, {}] });
});

test("convert takes a name on the hub", async () => {
  const to = path.join(root, "converted");
  await lectern("convert", "--model", "org/tiny", "--to", to, "--dtype", "BF16", "--json");
  expect(JSON.parse(printed)).toMatchObject({ folder: to, dtype: "BF16", tensors: 104, converted: 103 });
  const weights = openSafetensors(path.join(to, "model.safetensors"));
  expect(weights.info("embeddings.LayerNorm.bias").dtype).toBe("BF16");
  weights.close();
});
