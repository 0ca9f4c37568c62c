/**
 * Clients that mean no good, or know no better: slow, silent, half closed, without end. Each is told where it can be, and none keeps a
 * connection, the server's time or its memory.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openRaw, questionRequest, type RawConnection } from "../../test/raw-http.js";
import { get, loadServe, longText, metric, post, until } from "../../test/serving.js";
import { writeTinyReader } from "../../test/tiny-reader.js";
import type { ServerOptions } from "./options.js";
import type { Server } from "./server.js";

let folder: string;
let server: Server | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-abuse-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
});
afterAll(() => rm(folder, { recursive: true }));

async function open(options: Partial<ServerOptions> = {}): Promise<string> {
  server = await (await loadServe()).createServer({ models: { tiny: join(folder, "tiny") }, port: 0, threads: 1, ...options });
  return server.url;
}

const one = JSON.stringify({ question: "Who designed it?", context: "Babbage designed the machine in London." });
const large = JSON.stringify({ question: "Who?", context: longText(60_000) });
const head = (name: string): string => `GET ${name} HTTP/1.1\r\nHost: localhost\r\n`;
const status = (reply: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(reply)?.[1]);

/** Milliseconds until the connection is gone on the server's side as well, which only a write shows. */
async function timeToEnd({ socket, gone }: RawConnection): Promise<number> {
  const started = performance.now();
  const timer = setInterval(() => socket.writable && socket.write("x"), 100);
  await gone;
  clearInterval(timer);
  return performance.now() - started;
}

describe("a slow client", () => {
  const slow: [string, string, string][] = [
    ["that says nothing", "", ""],
    ["with half a header", head("/healthz"), "X-Slow: a"],
    ["with half a body", questionRequest(one.slice(0, 20), [`Content-Length: ${one.length}`]), " "],
    ["with half a chunk", questionRequest("ff\r\n{", ["Transfer-Encoding: chunked"]), " "],
  ];
  test.each(slow)("%s is told 408 and its connection freed, though it keeps it open", async (_, bytes) => {
    const connection = await openRaw(await open({ clientTimeout: 500 }), bytes);
    const reply = await connection.receives(/\}$/);
    expect(status(reply)).toBe(408);
    expect(reply).toContain('"code":"REQUEST_TIMEOUT"');
    expect(await timeToEnd(connection)).toBeLessThan(4000);
  });

  test.each(slow.slice(1))("%s that sends a byte now and then has no longer", async (_, bytes, byte) => {
    const connection = await openRaw(await open({ clientTimeout: 500 }), bytes);
    const trickle = setInterval(() => connection.socket.writable && connection.socket.write(byte), 50);
    const started = performance.now();
    expect(status(await connection.ended)).toBe(408);
    expect(performance.now() - started).toBeLessThan(5000);
    clearInterval(trickle);
  });

  test("that does not take its reply is not waited for", async () => {
    const url = await open({ clientTimeout: 500 });
    const { socket, ended } = await openRaw(url);
    socket.pause();
    socket.write(`${head("/docs/static/swagger-ui-bundle.js")}\r\n`.repeat(40));
    await new Promise((resolve) => setTimeout(resolve, 2000));
    socket.resume();
    expect((await ended).length).toBeLessThan(40 * 1.4e6); // all of it would be more
    socket.destroy();
  });

  test("that closes its side after a whole request gets its reply", async () => {
    const url = await open();
    for (const bytes of [questionRequest(one), questionRequest(large), `${head("/healthz")}\r\n`]) {
      const { socket, gone } = await openRaw(url, bytes);
      socket.end();
      const reply = await gone;
      expect(reply.replace(/^(HTTP\/1\.1 102 Processing\r\n\r\n)+/, "")).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\}$/);
    }
  });

  test("that closes its side before the request is whole is told", async () => {
    const { socket, gone } = await openRaw(await open(), slow[2][1]);
    socket.end();
    expect(status(await gone)).toBe(400);
  });
});

describe("a body over the limit", () => {
  const tooLarge = /^HTTP\/1\.1 413 [^]*"code":"BODY_TOO_LARGE"/;
  const piece = "a".repeat(2 ** 16);
  /** Sends pieces, as fast as they are taken, until there are as many or the connection is gone. */
  async function send({ socket, gone }: RawConnection, pieces: number, wrap = (text: string): string => text): Promise<void> {
    const isGone = gone.then(() => "gone");
    for (let sent = 0; sent < pieces; sent++) {
      if (!socket.writable) return;
      if (!socket.write(wrap(piece)) && (await Promise.race([once(socket, "drain").catch(() => "gone"), isGone])) === "gone") return;
    }
  }
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

  test.each([
    ["declared", [`Content-Length: ${160 * 2 ** 16}`], undefined],
    ["declared by a client that wants the connection closed", [`Content-Length: ${160 * 2 ** 16}`, "Connection: close"], undefined],
    ["in chunks", ["Transfer-Encoding: chunked"], chunk],
  ])("%s is refused so that a client that sends all of it first sees it", async (_, headers, wrap) => {
    const connection = await openRaw(await open(), questionRequest("", headers));
    await send(connection, 160, wrap);
    if (wrap !== undefined) connection.socket.write("0\r\n\r\n");
    expect(await connection.receives(/\}$/)).toMatch(tooLarge);
  });

  test("is refused at once, for one that reads while it sends", async () => {
    const connection = await openRaw(await open(), questionRequest(piece, ["Content-Length: 1000000000000"]));
    expect(await connection.receives(/\}$/)).toMatch(tooLarge);
  });

  test("is read on for a while, not for ever", async () => {
    const url = await open();
    const connection = await openRaw(url, questionRequest("", ["Transfer-Encoding: chunked"]));
    const started = performance.now();
    await send(connection, 16_384, chunk);
    expect(await connection.gone).toMatch(tooLarge);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect((await get(url, "/healthz")).status).toBe(200);
  });

  test("is not asked for where a client asks first", async () => {
    const url = await open();
    const refused = await openRaw(url, questionRequest("", ["Content-Length: 10000000", "Expect: 100-continue"]));
    expect(await refused.ended).toMatch(tooLarge);
    const elsewhere = await openRaw(url, questionRequest("", ["Content-Length: 10", "Expect: 100-continue"]).replace("/v1/question", "/v1/answer"));
    expect(status(await elsewhere.ended)).toBe(404);
    const taken = await openRaw(url, questionRequest("", [`Content-Length: ${one.length}`, "Expect: 100-continue"]));
    await taken.receives(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    taken.socket.write(one);
    expect(await taken.receives(/\}$/)).toMatch(/HTTP\/1\.1 200 OK/);
    taken.socket.destroy();
  });

  test("nobody is asked for when it is refused for something else, and the reply is seen all the same", async () => {
    const url = await open();
    for (const [bytes, code] of [
      [questionRequest("", ["Content-Length: 10485760"]).replace("/v1/question", "/v1/answer"), 404],
      [questionRequest("", ["Content-Length: 10485760"]).replace("application/json", "text/plain"), 415],
    ] as const) {
      const connection = await openRaw(url, bytes);
      await send(connection, 160);
      expect(status(await connection.receives(/\}$/))).toBe(code);
      connection.socket.destroy();
    }
  });
});

describe("connections", () => {
  test("that are owed nothing make room for new ones", async () => {
    const url = await open({ maxConnections: 10 });
    const silent = await Promise.all(Array.from({ length: 30 }, (_, at) => openRaw(url, at % 2 === 0 ? "" : head("/"))));
    expect((await post(url, one)).status).toBe(200);
    let ended = 0;
    for (const connection of silent) void connection.ended.then(() => ended++);
    await until(() => ended >= 20);
    for (const { socket } of silent) socket.destroy();
  });

  test("with several requests at once get the replies in their order", async () => {
    const connection = await openRaw(await open(), questionRequest(one) + `${head("/healthz")}\r\n` + questionRequest("{") + `${head("/none")}\r\n`);
    const reply = await connection.receives(/HTTP\/1\.1 400 [^]*\}$/);
    expect([...reply.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code)).toEqual(["200", "200", "400"]); // and is closed after one that failed
    await connection.ended;
    connection.socket.destroy();
  });

  test("with more requests at once than may be are answered 429, and all is given up when they end", async () => {
    const url = await open();
    const depth = () => metric(url, 'lectern_queue_depth{model="tiny"}');
    const few = await openRaw(url, `${head("/healthz")}\r\n`.repeat(30));
    await until(() => few.received.split("HTTP/1.1 ").length === 31);
    const refused = few.received.split("HTTP/1.1 429").length - 1;
    expect(refused).toBeGreaterThan(0);
    await until(() => few.received.split('{"error":{"code":"QUEUE_FULL","message":"A connection may ask 8 times').length === refused + 1);
    few.socket.destroy();
    const slowly = JSON.stringify({ question: "Who?", context: longText(20_000), max_seq_len: 128, doc_stride: 80 });
    const many = await openRaw(url, questionRequest(slowly).repeat(6));
    await until(async () => (await depth()) === 6);
    many.socket.resetAndDestroy();
    await until(async () => (await depth()) === 0);
    expect(await metric(url, 'lectern_requests_total{model="tiny",status="499"}')).toBeGreaterThan(3);
  });

  test("that are asked nothing more end", async () => {
    const connection = await openRaw(await open({ keepAliveTimeout: 200 }), `${head("/healthz")}\r\n`);
    await connection.receives(/\}$/);
    expect(await timeToEnd(connection)).toBeLessThan(5000);
  });
});

describe("a request", () => {
  test.each([
    ["that would like another protocol is answered in this one", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n\r\n", 200],
    ["that expects what nobody knows is answered all the same", `${head("/healthz")}Expect: the-unexpected\r\n\r\n`, 200],
    ["without a host is refused", "GET /healthz HTTP/1.1\r\n\r\n", 400],
    ["of HTTP/1.0 need not name a host", "GET /healthz HTTP/1.0\r\n\r\n", 200],
    ["with a path of 100,000 characters is refused", head(`/${"a".repeat(100_000)}`), 431],
    ["with ten thousand headers is refused", `${head("/healthz")}${"A: b\r\n".repeat(10_000)}\r\n`, 431],
  ])("%s", async (_, bytes, code) => {
    const url = await open({ host: "localhost" });
    for (const address of ["127.0.0.1", "[::1]"]) {
      const connection = await openRaw(`http://${address}:${new URL(url).port}`, bytes).catch(() => undefined);
      if (connection === undefined) continue; // this machine has no such address
      expect(status(await connection.receives(/\}$/))).toBe(code);
      connection.socket.destroy();
    }
  });
});

describe("a server that is closed", () => {
  const open1: [string, string][] = [
    ["a silent connection", ""],
    ["half a header", head("/healthz")],
    ["half a body", questionRequest(one.slice(0, 20), [`Content-Length: ${one.length}`])],
    ["a body over the limit that is still sent", questionRequest("x", ["Content-Length: 100000000"])],
    ["an idle connection", `${head("/healthz")}\r\n`],
  ];
  test.each(open1)("does not wait for %s", async (_, bytes) => {
    const connection = await openRaw(await open({ shutdownTimeout: 20_000 }), bytes);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const started = performance.now();
    await server!.close();
    await connection.ended;
    expect(performance.now() - started).toBeLessThan(5000);
    connection.socket.destroy();
  });

  test("waits for the time it was given, and no longer, for a client that does not take its reply", async () => {
    const { socket } = await openRaw(await open({ shutdownTimeout: 1000 }));
    socket.pause();
    socket.write(`${head("/docs/static/swagger-ui-bundle.js")}\r\n`.repeat(40));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const started = performance.now();
    await server!.close();
    expect(performance.now() - started).toBeLessThan(6000);
    socket.destroy();
  });

  test("sends what it owes before the connection ends", async () => {
    const url = await open();
    const connection = await openRaw(url, questionRequest(large));
    await until(async () => (await metric(url, 'lectern_queue_depth{model="tiny"}')) === 1);
    await server!.close();
    expect(await connection.ended).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\}$/);
  });
});
