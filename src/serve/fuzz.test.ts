/** Whatever is sent, over real HTTP: never a status of 500 or above, always the one shape of error, and the server goes on. */
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { get, loadServe, post, type Reply } from "../../test/serving.js";
import { writeTinyReader } from "../../test/tiny-reader.js";
import { httpErrors } from "./http-error.js";
import type { Server } from "./server.js";

let folder: string;
let server: Server;
let pid: number;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-fuzz-"));
  await writeTinyReader(join(folder, "tiny"));
  server = await (await loadServe()).createServer({ models: { tiny: join(folder, "tiny") }, port: 0, threads: 1 });
  pid = server.processes.tiny;
}, 60_000);
afterAll(async () => {
  expect(server.processes.tiny).toBe(pid); // no inference process died of it either
  expect((await get(server.url, "/readyz")).status).toBe(200);
  await server.close();
  await rm(folder, { recursive: true });
});

function requireFine({ status, body }: Reply): void {
  if (status === 200) return;
  expect(status).toBeLessThan(500);
  const { error } = body as { error: { code: keyof typeof httpErrors; message: string } };
  expect(httpErrors[error.code].status).toBe(status);
  expect(error.message.length).toBeGreaterThan(5);
}

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 }).map((units) => String.fromCharCode(...units)), // lone surrogates, too
  fc.constantFrom("Who?", " \t\r\n", "\u0000", "\ufeffBOM", "a".repeat(3000), "e\u0301".repeat(200), "👩‍👩‍👧".repeat(50), "../../etc/passwd", "[MASK] [SEP] [CLS]"),
);
const key = fc.constantFrom("question", "context", "model", "top_k", "doc_stride", "max_answer_len", "max_seq_len", "max_question_len", "handle_impossible_answer", "align_to_words", "constructor", "toString", "x");
const count = fc.oneof(fc.integer({ min: -2, max: 600 }), fc.double(), fc.constantFrom(1e300, 2 ** 53, -0));
const likely = fc.record(
  {
    question: fc.oneof(text, fc.array(text, { maxLength: 4 })),
    context: fc.oneof(text, fc.array(text, { maxLength: 4 })),
    model: fc.oneof({ weight: 5, arbitrary: fc.constant("tiny") }, { weight: 1, arbitrary: text }),
    top_k: count,
    doc_stride: count,
    max_answer_len: count,
    max_seq_len: count,
    max_question_len: count,
    handle_impossible_answer: fc.boolean(),
    align_to_words: fc.constantFrom(true, false, "auto"),
  },
  { requiredKeys: ["question", "context"] },
);
const runs = { numRuns: 120 };

describe("bodies", () => {
  test("of nearly the right form", () => fc.assert(fc.asyncProperty(likely, async (body) => requireFine(await post(server.url, body))), runs), 60_000);

  test("with values of any type under its keys", () =>
    fc.assert(fc.asyncProperty(fc.dictionary(key, fc.oneof(text, fc.anything())), async (body) => requireFine(await post(server.url, JSON.stringify(body, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value))))), runs), 60_000);

  test("of any JSON", () => fc.assert(fc.asyncProperty(fc.json({ maxDepth: 6 }), async (body) => requireFine(await post(server.url, body))), runs), 60_000);

  test("of any bytes", () =>
    fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (bytes) => requireFine(await post(server.url, Uint8Array.from(bytes)))), runs), 60_000);

  test("with a piece replaced or cut off", () =>
    fc.assert(
      fc.asyncProperty(likely, fc.nat(), fc.uint8Array({ maxLength: 4 }), fc.nat(3), async (body, at, piece, removed) => {
        const bytes = Buffer.from(JSON.stringify(body));
        const from = at % (bytes.length + 1);
        requireFine(await post(server.url, Uint8Array.from(Buffer.concat([bytes.subarray(0, from), piece, bytes.subarray(from + removed)]))));
      }),
      runs,
    ), 60_000);

  test("nested deeply, with names of prototypes, or very large numbers", async () => {
    const deep = (open: string, close: string, times: number): string => open.repeat(times) + close.repeat(times);
    for (const body of [
      deep("[", "]", 200_000),
      `{"question":"a","context":${deep('{"a":', "}", 1).replace("}", "1}")}}`,
      `{"question":"a","context":${deep("[", "]", 50_000)}}`,
      '{"question":"a","context":"b","__proto__":{"x":1}}',
      '{"question":"a","context":"b","\\u005f_proto__":{"x":1}}',
      '{"question":"a","context":"b","constructor":{"prototype":{"x":1}}}',
      '{"question":"a","context":"b","top_k":1e999}',
      '{"question":"a","context":"b","top_k":1,"top_k":2}',
      `{"question":"a","context":"b",${Array.from({ length: 20_000 }, (_, index) => `"k${index}":1`).join()}}`,
    ]) {
      requireFine(await post(server.url, body));
    }
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  }, 60_000);
});

describe("requests", () => {
  test("for any path", () =>
    fc.assert(
      fc.asyncProperty(fc.oneof(fc.webPath(), fc.string({ maxLength: 50 }), fc.constantFrom("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/docs/static/%2e%2e/%2e%2e/package.json", "/docs/..%5c..%5cpackage.json", "//etc/passwd", "/%00")), async (path) => {
        const reply = await get(server.url, encodeURI(`/${path.replace(/^\//, "")}`).replaceAll("%25", "%"));
        expect(reply.status).toBeLessThan(500);
        expect(JSON.stringify(reply.body)).not.toMatch(/root:|"dependencies"/);
      }),
      { numRuns: 80 },
    ), 60_000);

  test("that are no HTTP", async () => {
    const { hostname, port } = new URL(server.url);
    const raw = (bytes: string | Uint8Array): Promise<string> =>
      new Promise((resolve) => {
        let received = "";
        const socket = connect({ host: hostname, port: Number(port) }, () => socket.end(bytes));
        socket.on("data", (data) => (received += data.toString()));
        socket.on("error", () => resolve(received)).on("close", () => resolve(received));
      });
    for (const bytes of ["GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "POST /v1/question-answering HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(100_000)}\r\n\r\n`]) {
      expect(await raw(bytes)).toMatch(/^HTTP\/1\.1 4\d\d [^]*\{"error":\{"code":"/);
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        expect(await raw(Buffer.concat([Buffer.from(bytes), Buffer.from("\r\n\r\n")]))).not.toMatch(/^HTTP\/1\.1 5/);
      }),
      { numRuns: 50 },
    );
  }, 60_000);
});
