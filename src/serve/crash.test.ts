/** What becomes of requests when the process that computes them ends: killed from outside, or by what it was asked. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compiledSources } from "../../test/compiled-sources.js";
import { get, loadServe, longText, metric, post, until } from "../../test/serving.js";
import { writeTinyReader } from "../../test/tiny-reader.js";
import type * as Service from "./model-service.js";
import type { Server } from "./server.js";

let folder: string;
let server: Server;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-crash-"));
  await writeTinyReader(join(folder, "tiny"));
  process.env.NODE_OPTIONS = `--import=${pathToFileURL(join(compiledSources(), "test/poisoned-process.js")).href}`;
  server = await (await loadServe()).createServer({ models: { tiny: join(folder, "tiny") }, port: 0 });
}, 60_000);
afterAll(async () => {
  delete process.env.NODE_OPTIONS;
  await server?.close();
  await rm(folder, { recursive: true });
});

const one = { question: "Who designed it?", context: "Babbage designed the machine in London." };
const restarts = async (): Promise<number> => (await metric(server.url, 'lectern_process_restarts_total{model="tiny"}')) ?? 0;

describe("a process that ends", () => {
  test("is started again, and every request in it is answered as if nothing had been", async () => {
    const before = await restarts();
    const expected = await post(server.url, one);
    const requests = [
      ...Array.from({ length: 6 }, () => post(server.url, { ...one, context: longText(8000) })),
      ...Array.from({ length: 12 }, () => post(server.url, one)),
    ];
    await until(async () => ((await metric(server.url, 'lectern_queue_depth{model="tiny"}')) ?? 0) >= 6);
    process.kill(server.processes.tiny, "SIGKILL");
    const replies = await Promise.all(requests);
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    for (const { body } of replies.slice(6)) expect(body).toEqual(expected.body);
    expect(await restarts()).toBe(before + 1);
    expect((await get(server.url, "/healthz")).status).toBe(200);
  });

  test("while nothing runs is started again, too", async () => {
    const { tiny } = server.processes;
    process.kill(tiny, "SIGSEGV");
    await until(() => server.processes.tiny !== undefined && server.processes.tiny !== tiny);
    expect((await post(server.url, one)).status).toBe(200);
  });

  test.each(["CRASH TOKENISING", "CRASH RUNNING"])("by a request that makes it %s answers that one with an error and all others", async (question) => {
    const others = Array.from({ length: 10 }, (_, index) => post(server.url, { ...one, context: longText(400 + index) }));
    const poison = post(server.url, { ...one, question });
    const more = Array.from({ length: 10 }, () => post(server.url, one));
    expect(await poison).toMatchObject({ status: 500, body: { error: { code: "INFERENCE_CRASHED" } } });
    for (const { status } of await Promise.all([...others, ...more])) expect(status).toBe(200);
    expect((await get(server.url, "/readyz")).status).toBe(200);
  });
});

describe("a model's service", () => {
  const open = async (model: string, patience: number) => {
    const { ModelService } = (await import(pathToFileURL(join(compiledSources(), "src/serve/model-service.js")).href)) as typeof Service;
    const crashes: string[] = [];
    const options = { threads: 1, batchTokens: 512, maxQueue: 9, maxQueueCharacters: 1e6, maxRequestTokens: 1e6, patience };
    const service: Service.ModelService = new ModelService("tiny", { folder: model }, 1, options, {
      needed: () => void service.start().catch(() => {}),
      loaded: () => {},
      ran: () => {},
      crashed: (_service, how) => crashes.push(how),
      notLoaded: () => {},
    });
    const ask = (question: string) => service.answer({ questions: [{ ...one, question }], options: {} }, new AbortController().signal);
    return { service, crashes, ask };
  };

  test("ends a process that hangs", async () => {
    const { service, crashes, ask } = await open(join(folder, "tiny"), 700);
    await service.start();
    const [hanging, fine] = [ask("HANG"), ask("Who?")];
    await expect(hanging).rejects.toMatchObject({ code: "INFERENCE_CRASHED" });
    expect((await fine).answers).toHaveLength(1);
    expect(crashes).toEqual(["SIGKILL", "SIGKILL"]);
    await service.close();
  });

  test("tells the requests of a model that cannot be loaded, and does not try at once again", async () => {
    await writeTinyReader(join(folder, "broken"));
    await writeFile(join(folder, "broken/config.json"), "{}");
    const { service, ask } = await open(join(folder, "broken"), 60_000);
    await expect(ask("Who?")).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE", status: 503, retryAfter: 10 });
    expect(service.state).toBe("stopped");
    await expect(async () => ask("Who?")).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
    expect(service.state).toBe("stopped");
    await service.close();
  });
});
