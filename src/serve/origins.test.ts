/** Which names a server answers to, and which pages may read its replies. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { chromium, launchChromium } from "../../test/chromium.js";
import { openRaw } from "../../test/raw-http.js";
import { loadServe } from "../../test/serving.js";
import { writeTinyReader } from "../../test/tiny-reader.js";
import { createApiKey } from "./api-keys.js";
import { hostCheck, isLoopback } from "./hosts.js";
import type { ServerOptions } from "./options.js";
import type { Server } from "./server.js";

let folder: string;
const servers: Server[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-origins-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
afterAll(() => rm(folder, { recursive: true }));

async function open(options: Partial<ServerOptions> = {}): Promise<string> {
  servers.push(await (await loadServe()).createServer({ models: { tiny: join(folder, "tiny") }, port: 0, threads: 1, ...options }));
  return servers.at(-1)!.url;
}

describe("the header Host", () => {
  const isTaken = (host: string, allowed: string[], header: string | undefined): boolean => {
    try {
      hostCheck(host, allowed)(header);
      return true;
    } catch {
      return false;
    }
  };
  const own = ["localhost", "localhost:8080", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080", undefined];
  const foreign = ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "x@localhost", "localhost/x", "localhost?", "[::2]", "local host"];

  test("of a server of this machine is one of its names", () => {
    for (const host of ["127.0.0.1", "localhost", "::1", "127.0.0.2"]) {
      for (const name of own) expect([host, name, isTaken(host, [], name)]).toEqual([host, name, true]);
      for (const name of foreign) expect([host, name, isTaken(host, [], name)]).toEqual([host, name, false]);
    }
    expect(isTaken("127.0.0.2", [], "127.0.0.2:8080")).toBe(true);
    expect(isTaken("127.0.0.1", ["qa.example.org", "Bücher.example:80"], "qa.example.org:443")).toBe(true);
    expect(isTaken("127.0.0.1", ["Bücher.example:80"], "xn--bcher-kva.example")).toBe(true);
  });

  test("of one that others reach is any, or one of those allowed", () => {
    for (const name of [...own, "evil.example"]) expect(isTaken("0.0.0.0", [], name)).toBe(true);
    expect(isTaken("0.0.0.0", ["qa.example.org"], "evil.example")).toBe(false);
    expect(isTaken("0.0.0.0", ["qa.example.org"], "qa.example.org")).toBe(true);
    expect(isTaken("::", ["qa.example.org"], "localhost:8080")).toBe(true);
    expect(["::1", "[::1]", "127.9.9.9", "Localhost"].map(isLoopback)).toEqual([true, true, true, true]);
    expect(["0.0.0.0", "::", "10.0.0.1", "127.example.org"].map(isLoopback)).toEqual([false, false, false, false]);
  });

  test("is looked at for every path", async () => {
    const url = await open();
    for (const path of ["/", "/healthz", "/v1/models", "/none", "/docs/"]) {
      const { received, socket } = await openRaw(url, `GET ${path} HTTP/1.1\r\nHost: evil.example\r\n\r\n`).then(async (connection) => {
        await connection.receives(/\}$/);
        return connection;
      });
      expect(received).toMatch(/^HTTP\/1\.1 421 [^]*"code":"HOST_NOT_SERVED"/);
      socket.destroy();
    }
  });

  test("is checked on both addresses of localhost", async () => {
    const port = new URL(await open({ host: "localhost" })).port;
    for (const address of ["127.0.0.1", "[::1]"]) {
      const connection = await openRaw(`http://${address}:${port}`, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n").catch(() => undefined);
      if (connection === undefined) continue; // this machine has no such address
      expect(await connection.receives(/\}$/)).toMatch(/^HTTP\/1\.1 421 /);
      connection.socket.destroy();
    }
  });

  test("names that are none are told at the start", async () => {
    for (const name of ["", "http://a.example", "a.example/x", "a b"]) await expect(open({ allowHosts: [name] })).rejects.toMatchObject({ code: "SERVE_ALLOWED" });
  });
});

describe("pages of other origins", () => {
  const app = "https://app.example.org";
  const question = (origin: string): RequestInit => ({
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type" },
  });
  const corsOf = (reply: Response): (string | null)[] => ["access-control-allow-origin", "vary", "access-control-allow-credentials"].map((name) => reply.headers.get(name));

  test("may read nothing by default", async () => {
    const url = await open();
    for (const origin of [app, "null", url]) {
      expect(corsOf(await fetch(`${url}/v1/models`, { headers: { origin } }))).toEqual([null, null, null]);
      const refused = await fetch(`${url}/v1/question-answering`, question(origin));
      expect([refused.status, ...corsOf(refused)]).toEqual([405, null, null, null]);
    }
  });

  test("that are allowed may ask, with an API key, and read failures", async () => {
    const file = join(folder, "keys.json");
    const key = await createApiKey(file, "app");
    const url = await open({ cors: [`${app}/`, "http://localhost:3000"], apiKeys: file });
    for (const origin of [app, "http://localhost:3000"]) {
      const may = await fetch(`${url}/v1/question-answering`, question(origin));
      expect([may.status, ...corsOf(may)]).toEqual([204, origin, "Origin", null]);
      expect(may.headers.get("access-control-allow-methods")).toBe("POST");
      expect(may.headers.get("access-control-allow-headers")).toBe("authorization, content-type");
      const models = await fetch(`${url}/v1/models`, { headers: { origin, authorization: `Bearer ${key}` } });
      expect([models.status, ...corsOf(models)]).toEqual([200, origin, "Origin", null]);
      const refused = await fetch(`${url}/v1/models`, { headers: { origin } });
      expect([refused.status, ...corsOf(refused)]).toEqual([401, origin, "Origin", null]);
      expect(refused.headers.get("access-control-expose-headers")).toContain("x-request-id");
    }
    for (const origin of ["http://app.example.org", "https://app.example.org:8443", "https://app.example.org.evil.example", "null"]) {
      const refused = await fetch(`${url}/v1/question-answering`, question(origin));
      expect([refused.status, ...corsOf(refused)]).toEqual([405, null, "Origin", null]);
    }
    expect((await fetch(`${url}/none`, question(app))).status).toBe(404);
  });

  test("of every origin may, where that is wanted", async () => {
    const url = await open({ cors: ["*"] });
    for (const origin of [app, "null"]) expect(corsOf(await fetch(`${url}/v1/models`, { headers: { origin } }))).toEqual(["*", null, null]);
    expect(corsOf(await fetch(`${await open({ cors: ["null"] })}/v1/models`, { headers: { origin: "null" } }))).toEqual(["null", "Origin", null]);
  });

  test("that are none are told at the start", async () => {
    for (const origin of ["app.example.org", "https://app.example.org/page", "file:///a", "https://a.example?x", ""]) {
      await expect(open({ cors: [origin] })).rejects.toMatchObject({ code: "SERVE_ALLOWED" });
    }
  });

  test.skipIf(!chromium)("as a browser has it (needs Chromium)", async () => {
    const page1 = await open();
    const [closed, opened] = [await open(), await open({ cors: [page1] })];
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`${page1}/openapi.json`);
      const ask = (url: string): Promise<string> =>
        page.evaluate(`fetch(${JSON.stringify(`${url}/v1/question-answering`)}, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ question: "Who?", context: "Ada wrote it." }),
        }).then((reply) => String(reply.status), () => "refused")`);
      expect([await ask(closed), await ask(opened), await ask(page1)]).toEqual(["refused", "200", "200"]);
    } finally {
      await browser.close();
    }
  });
});
