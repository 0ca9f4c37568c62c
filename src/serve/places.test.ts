/** Places in the queue and in memory, and who may ask: what is refused, what is given up, and what comes back. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { get, loadServe, longText, metric, post, until } from "../../test/serving.js";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { writeTinyReader } from "../../test/tiny-reader.js";
import { exportReader } from "../export/export-reader.js";
import type { ServerOptions } from "./options.js";
import type { Server } from "./server.js";

let folder: string;
let server: Server | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-places-"));
  for (const [seed, name] of ["a", "b", "c"].entries()) await writeTinyReader(join(folder, name), { seed });
});
afterEach(async () => {
  await server?.close();
  server = undefined;
});
afterAll(() => rm(folder, { recursive: true }));

async function open(options: Partial<ServerOptions> = {}, names = ["a"]): Promise<Server> {
  const models = Object.fromEntries(names.map((name) => [name, join(folder, name)]));
  return (server = await (await loadServe()).createServer({ models, port: 0, threads: 1, ...options }));
}

const one = { question: "Who designed it?", context: "Babbage designed the machine in London." };
/** Some seconds of work. */
const large = { ...one, context: longText(60_000) };
const depth = async (url: string, name = "a"): Promise<number | undefined> => metric(url, `lectern_queue_depth{model="${name}"}`);

describe("a place in the queue", () => {
  test("is refused when all are taken, and there again afterwards", async () => {
    const { url } = await open({ maxQueue: 3 });
    const running = [large, one, one].map((body) => post(url, body));
    await until(async () => (await depth(url))! >= 1);
    const replies = await Promise.all(Array.from({ length: 8 }, () => post(url, one)));
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ body: { error: { code: "QUEUE_FULL" } } });
    expect(Number(refused[0].headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    for (const { status } of await Promise.all(running)) expect([200, 429]).toContain(status);
    expect((await post(url, one)).status).toBe(200);
  });

  test("counts characters as well", async () => {
    const { url } = await open({ maxQueueCharacters: 1000 });
    const first = post(url, large); // comes to an empty queue
    await until(async () => (await depth(url)) === 1);
    expect((await post(url, one)).status).toBe(429);
    expect((await first).status).toBe(200);
  });

  test("is given up when the time is over", async () => {
    const { url } = await open({ timeout: 150 });
    expect(await post(url, large)).toMatchObject({ status: 504, body: { error: { code: "TIMEOUT" } } });
    expect(await depth(url)).toBe(0);
    await until(async () => (await post(url, one)).status === 200); // on a busy machine the time is over for this one, too
  });

  test("is given up when the client goes", async () => {
    const { url } = await open({ maxQueue: 1, batchTokens: 1, clientTimeout: 2000 });
    const client = new AbortController();
    const gone = post(url, { ...large, max_seq_len: 128, doc_stride: 80 }, {}, client.signal).catch(() => "gone");
    await until(async () => (await depth(url)) === 1);
    client.abort();
    expect(await gone).toBe("gone");
    await until(async () => (await depth(url)) === 0);
    expect((await post(url, one)).status).toBe(200);
    await until(async () => (await metric(url, 'lectern_requests_total{model="a",status="499"}')) === 1);
  });
});

describe("a closing server", () => {
  test("answers what it has, takes nothing new, and is not ready", async () => {
    const { url, close } = await open();
    const agent = post(url, large);
    await until(async () => (await depth(url)) === 1);
    const closed = close();
    expect(await get(url, "/readyz")).toMatchObject({ status: 503, body: { error: { code: "SHUTTING_DOWN" } } });
    expect(await post(url, one)).toMatchObject({ status: 503, body: { error: { code: "SHUTTING_DOWN" } } });
    expect((await agent).status).toBe(200);
    await closed;
    await expect(get(url, "/healthz")).rejects.toThrow();
  });

  test("gives up what takes too long", async () => {
    const { url, close } = await open({ shutdownTimeout: 100 });
    const late = post(url, large);
    await until(async () => (await depth(url)) === 1);
    await close();
    expect(await late).toMatchObject({ status: 503, body: { error: { code: "SHUTTING_DOWN" } } });
  });
});

describe("several models", () => {
  const ask = (url: string, model: string) => post(url, { ...one, model });
  const loaded = async (url: string): Promise<string[]> => {
    const { data } = (await get(url, "/v1/models")).body as { data: { id: string; loaded: boolean }[] };
    return data.filter((one) => one.loaded).map(({ id }) => id);
  };

  test("are asked by name, and the first without one", async () => {
    const { url } = await open({}, ["a", "b"]);
    const [a, b, first] = await Promise.all([ask(url, "a"), ask(url, "b"), post(url, one)]);
    expect(first.body).toEqual(a.body);
    expect(b.body).not.toEqual(a.body);
    expect(await loaded(url)).toEqual(["a", "b"]);
  });

  test("below a ceiling make room for each other, the least recently used first", async () => {
    const { url: alone } = await open();
    const memory = (await metric(alone, 'lectern_model_memory_bytes{model="a"}'))!;
    await server!.close();
    const { url, processes } = await open({ maxMemory: Math.max(2.5 * memory, 210e6) }, ["a", "b", "c"]);
    expect(Object.keys(processes)).toContain("a");
    const answers = new Map<string, unknown>();
    for (const model of ["a", "b", "c", "a", "b", "c"]) {
      const { status, body } = await ask(url, model);
      expect(status).toBe(200);
      expect(answers.get(model) ?? body).toEqual(body);
      answers.set(model, body);
      expect((await loaded(url)).length).toBeLessThanOrEqual(2);
    }
    const all = await Promise.all(Array.from({ length: 12 }, (_, index) => ask(url, ["a", "b", "c"][index % 3])));
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 200));
  }, 60_000);

  test("that were exported answer from their ONNX files", async () => {
    await exportReader(join(folder, "a"), join(folder, "exported"), { format: "onnx", types: ["fp32"], runtime: testRuntime() });
    const models = { a: join(folder, "a"), exported: join(folder, "exported") };
    const { url } = await open({ models });
    const [a, exported] = [await ask(url, "a"), await ask(url, "exported")];
    expect({ ...(exported.body as object), score: 0 }).toEqual({ ...(a.body as object), score: 0 });
    await expect(open({ models: { exported: models.exported }, onnxFile: "model_none" })).rejects.toMatchObject({ code: "ONNX_FILE_UNKNOWN" });
  });

  test("whose ONNX file fails on a request answer that one with the file's name, and those beside it", async () => {
    await exportReader(join(folder, "a"), join(folder, "promising"), { format: "onnx", types: ["fp32"], runtime: testRuntime() });
    const config = join(folder, "promising/config.json");
    await writeFile(config, (await readFile(config, "utf8")).replace(/("max_position_embeddings": *)128/, "$1512"));
    const { url, processes } = await open({}, ["promising"]);
    const pid = processes.promising;
    const long = { ...one, context: longText(400) };
    const short = Array.from({ length: 6 }, () => post(url, one));
    const replies = await Promise.all([post(url, long), ...short, post(url, long), post(url, one)]);
    expect(replies.map(({ status }) => status)).toEqual([422, ...short.map(() => 200), 422, 200]);
    expect(replies[0].body).toMatchObject({ error: { code: "MODEL_FAILED", message: expect.stringMatching(/^model\.onnx fails when it is run/) as string } });
    expect(processes.promising).toBe(pid);
  });

  test("that are larger than the ceiling are refused at the start", async () => {
    await expect(open({ maxMemory: 100e6 })).rejects.toMatchObject({ code: "SERVE_MEMORY" });
  });

  test("that cannot be loaded or named are told at the start", async () => {
    await writeTinyReader(join(folder, "broken"));
    await writeFile(join(folder, "broken/model.safetensors"), "x");
    await expect(open({}, ["broken"])).rejects.toMatchObject({ code: "SAFETENSORS_CORRUPT" });
    await expect(open({ models: { missing: join(folder, "missing") } })).rejects.toMatchObject({ code: "FILE_MISSING" });
    await expect(open({ models: { "../a": join(folder, "a") } })).rejects.toMatchObject({ code: "SERVE_MODEL_NAME" });
    await expect(open({ models: {} })).rejects.toMatchObject({ code: "SERVE_MODEL_NAME" });
  });
});

test("an address that is taken is told", async () => {
  const { url } = await open();
  const port = Number(new URL(url).port);
  const { createServer } = await loadServe();
  await expect(createServer({ models: { a: join(folder, "a") }, port })).rejects.toMatchObject({ code: "SERVE_ADDRESS" });
});

describe("API keys", () => {
  test("keep others out", async () => {
    const { createApiKey } = await import("./api-keys.js");
    const file = join(folder, "keys.json");
    const [alice, bob] = [await createApiKey(file, "alice"), await createApiKey(file, "bob")];
    const text = await readFile(file, "utf8");
    expect(text).not.toContain(alice);
    expect(text).not.toContain(bob.slice(8));
    if (process.platform !== "win32") expect((await stat(file)).mode & 0o777).toBe(0o600);
    await expect(createApiKey(file, "alice")).rejects.toMatchObject({ code: "API_KEYS" });
    const lines: string[] = [];
    const { url } = await open({ apiKeys: file, log: { stream: { write: (line) => void lines.push(line) } } });
    for (const key of [alice, bob]) expect((await post(url, one, { authorization: `Bearer ${key}` })).status).toBe(200);
    for (const authorization of ["", `Bearer ${alice}x`, `Basic ${alice}`, "Bearer", alice]) {
      const refused = await post(url, "not even JSON", { authorization });
      expect(refused).toMatchObject({ status: 401, body: { error: { code: "UNAUTHORIZED" } } });
      expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    }
    for (const path of ["/v1/models", "/metrics"]) expect((await get(url, path)).status).toBe(401);
    for (const path of ["/", "/page.js", "/healthz", "/readyz", "/docs/", "/openapi.json", "/docs/static/swagger-ui.css"]) {
      expect((await get(url, path)).status, path).toBe(200);
    }
    await until(() => lines.some((line) => line.includes('"key":"bob"')));
    expect(lines.join("")).not.toContain(alice);
  });

  test("come from a file that is whole and has some", async () => {
    const file = join(folder, "bad.json");
    for (const text of ["{", "[]", '{"keys": []}', '{"keys": [{"name": "a", "sha256": "12", "created": ""}]}']) {
      await writeFile(file, text);
      await expect(open({ apiKeys: file })).rejects.toMatchObject({ code: "API_KEYS" });
    }
    await expect(open({ apiKeys: join(folder, "none.json") })).rejects.toMatchObject({ code: "FILE_MISSING" });
  });
});
