/**
 * `lectern serve` as a process among many clients at once that mean no good: its descriptors, its memory, its event loop and its end are looked at
 * from outside. One client of each kind is in abuse.test.ts.
 */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RunningProcess, startOwn } from "../../test/process.js";
import { openRaw, questionRequest, type RawConnection } from "../../test/raw-http.js";
import { get, longText, metric, post, until } from "../../test/serving.js";
import { writeTinyReader } from "../../test/tiny-reader.js";

let folder: string;
let server: RunningProcess;
let url: string;
let clients: RawConnection[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-abuse-full-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  server.process.kill("SIGKILL");
  await server.ended;
});
afterAll(() => rm(folder, { recursive: true }));

async function start(...words: string[]): Promise<void> {
  server = startOwn("src/cli/main.ts", ["serve", "--model", "tiny", "--port", "0", "--threads", "1", ...words], { cwd: folder });
  let told = "";
  server.process.stderr.on("data", (data: Buffer) => (told += data.toString()));
  await server.printed("Ctrl-C ends it");
  url = /Ask at (\S+)/.exec(told)![1];
}

async function openMany(count: number, bytes: (index: number) => string): Promise<void> {
  clients = clients.concat(await Promise.all(Array.from({ length: count }, (_, index) => openRaw(url, bytes(index)))));
}

const one = { question: "Who designed it?", context: "Babbage designed the machine in London." };
const body = JSON.stringify(one);
const unfinished = ["", "GET / HTTP/1.1\r\nHost: localhost\r\n", questionRequest(body.slice(0, 20), [`Content-Length: ${body.length}`])];
const proc = (): string => `/proc/${server.process.pid}`;
const descriptors = (): number => readdirSync(`${proc()}/fd`).length;
/** Bytes: the most that the process has had. */
const peakMemory = (): number => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`${proc()}/status`, "utf8"))![1]);
const isLinux = existsSync("/proc/self/fd");

/** Asks for its health again and again while something is done; the longest that it took, in milliseconds. */
async function slowestHealth(work: Promise<unknown>): Promise<number> {
  let [slowest, isOver] = [0, false];
  void work.finally(() => (isOver = true));
  while (!isOver) {
    const started = performance.now();
    expect((await get(url, "/healthz")).status).toBe(200);
    slowest = Math.max(slowest, performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return slowest;
}

describe.skipIf(!isLinux)("a served model (needs /proc)", () => {
  test("frees 800 connections that say nothing, or half of something", async () => {
    await start("--client-timeout", "3");
    const before = descriptors();
    await openMany(800, (index) => unfinished[index % 3]);
    await until(() => descriptors() >= before + 800);
    expect((await post(url, one)).status).toBe(200);
    await until(() => descriptors() <= before + 10);
    for (const { received } of clients) expect(received).toMatch(/^HTTP\/1\.1 408 /);
  });

  test("answers others while 3,000 of them come", async () => {
    await start("--client-timeout", "30", "--max-connections", "500");
    for (let round = 0; round < 30; round++) {
      await openMany(100, (index) => unfinished[index % 3]);
      expect((await post(url, one)).status).toBe(200);
    }
    expect(descriptors()).toBeLessThan(600);
  });

  test("takes 24 bodies of two megabytes at once, of a million values each, without a halt and in bounded memory", async () => {
    await start();
    await post(url, one);
    const before = peakMemory();
    const bodies = [
      `{"question":[${"1,".repeat(1_000_000)}1]}`,
      "[".repeat(2_000_000),
      `{"question":${'{"a":'.repeat(400_000)}`,
      `{"question":"a","context":"b"${',"":0'.repeat(400_000)}}`,
      `{"question":[${'"a",'.repeat(500_000)}"a"],"context":"b"}`,
      `{"question":"${"\\u0000".repeat(300_000)}","context":"${" ".repeat(200_000)}"}`,
    ];
    const all = Promise.all(Array.from({ length: 24 }, (_, index) => post(url, bodies[index % bodies.length])));
    expect(await slowestHealth(all)).toBeLessThan(2000);
    for (const { status } of await all) expect([413, 422]).toContain(status);
    expect(peakMemory() - before).toBeLessThan(400e6);
  });

  test("holds no more of bodies that do not end than it may", async () => {
    await start("--client-timeout", "5");
    const before = peakMemory();
    const part = `{"question":"${"a".repeat(1_900_000)}`;
    await openMany(300, () => questionRequest(part, ["Content-Length: 2000000"]));
    const refused = (): number => clients.filter(({ received }) => /^HTTP\/1\.1 (429|408)/.test(received)).length;
    await until(() => refused() >= 200);
    expect((await get(url, "/healthz")).status).toBe(200);
    expect(peakMemory() - before).toBeLessThan(700e6);
  });

  test("reads a body that comes byte by byte, in chunks, in bounded memory", async () => {
    await start();
    const before = peakMemory();
    await openMany(1, () => questionRequest("", ["Transfer-Encoding: chunked"]));
    const [{ socket, receives }] = clients;
    const text = JSON.stringify({ ...one, question: "a".repeat(1_500_000) });
    for (let at = 0; at < text.length; at += 10_000) {
      const pieces = Array.from(text.slice(at, at + 10_000), (character) => `1\r\n${character}\r\n`).join("");
      if (!socket.write(pieces)) await once(socket, "drain");
    }
    socket.write("0\r\n\r\n");
    expect(await receives(/\}$/)).toMatch(/^HTTP\/1\.1 413 [^]*QUESTION_TOO_LONG/);
    expect(peakMemory() - before).toBeLessThan(200e6);
  });

  test("asked again and again by one that reads nothing, keeps little for it", async () => {
    await start("--client-timeout", "3");
    const before = { descriptors: descriptors(), memory: peakMemory() };
    await openMany(20, () => "");
    for (const { socket } of clients) {
      socket.pause();
      socket.write("GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2000));
    }
    expect((await post(url, one)).status).toBe(200);
    await until(() => descriptors() < before.descriptors + 10);
    expect(peakMemory() - before.memory).toBeLessThan(300e6);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("ends on %s in the time it was given, whatever its clients do", async (signal) => {
    await start("--shutdown-timeout", "2");
    await openMany(60, (index) => unfinished[index % 3]);
    await openMany(1, () => "");
    clients.at(-1)!.socket.pause().write("GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200));
    const large = { ...one, context: longText(60_000), max_seq_len: 128, doc_stride: 80 };
    const asked = Array.from({ length: 20 }, () => post(url, large));
    await until(async () => (await metric(url, 'lectern_queue_depth{model="tiny"}'))! >= 2);
    const started = performance.now();
    server.process.kill(signal);
    const trickle = setInterval(() => clients.forEach(({ socket }) => socket.writable && socket.write("a")), 100);
    const { code } = await server.ended;
    clearInterval(trickle);
    expect(code).toBe(0);
    expect(performance.now() - started).toBeLessThan(2000 + 4000);
    for (const { status } of await Promise.all(asked)) expect([200, 429, 503]).toContain(status);
  });
});
