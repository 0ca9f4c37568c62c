/** `lectern serve` under load: the answers stay those of QuestionAnswerer, nothing fails but what is told to come again, memory stays flat. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import autocannon from "autocannon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoadItem, sendLoad } from "../../bench/load.js";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { type RunningProcess, startOwn } from "../../test/process.js";
import { get, metric } from "../../test/serving.js";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { loadExamples } from "../data/examples.js";
import { randomGenerator } from "../engine/random.js";
import { QuestionAnswerer } from "../tasks/extractive/question-answerer.js";

let folder: string;
let server: RunningProcess;
let url: string;
let items: LoadItem[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-load-"));
  await writeTinyReader(join(folder, "tiny"));
  const { examples } = await loadExamples(join(starter, "squad/dev.json"), { limit: 100 });
  const texts = examples.map(({ question, context }) => ({ question, context }));
  const offline = await QuestionAnswerer.from(join(folder, "tiny"), { runtime: testRuntime() });
  const answers = await offline.answer(texts);
  offline.release();
  items = texts.map((text, index) => ({ body: JSON.stringify(text), expected: answers[index] }));
  server = startOwn("src/cli/main.ts", ["serve", "--model", "tiny", "--port", "0", "--max-queue", "40", "--log-level", "silent"], { cwd: folder });
  let told = "";
  server.process.stderr.on("data", (data: Buffer) => (told += data.toString()));
  await server.printed("Ctrl-C ends it");
  url = /Ask at (\S+)/.exec(told)![1];
}, 120_000);
afterAll(async () => {
  server?.process.kill("SIGTERM");
  await server?.ended;
  await rm(folder, { recursive: true });
});

/** Answers a second with as many connections as are waited for. */
async function saturate(connections: number, duration: number): Promise<autocannon.Result> {
  const requests = items.map(({ body }) => ({
    method: "POST" as const,
    path: "/v1/question-answering",
    headers: { "content-type": "application/json" },
    body,
  }));
  return autocannon({ url, connections, duration, requests });
}

const random = randomGenerator(5, 0);
const uniform = () => random.uniform();

describe("a loaded server", () => {
  test("at twice the rate that saturates it refuses with 429 and nothing else, and every answer is right", async () => {
    const { requests, duration, non2xx, errors } = await saturate(16, 6);
    expect(non2xx + errors).toBe(0);
    const rate = requests.total / duration;
    const twice = await sendLoad(url, items, 2 * rate, 8, uniform);
    expect(Object.keys(twice.statuses).sort()).toEqual(expect.arrayContaining(["200"]));
    expect(Object.keys(twice.statuses).filter((status) => status !== "200" && status !== "429")).toEqual([]);
    expect(twice.different).toBe(0);
    const half = await sendLoad(url, items, rate / 2, 5, uniform);
    expect([Object.keys(half.statuses), half.different]).toEqual([["200"], 0]);
  });

  test("stormed by far more connections than it has places for is well afterwards", async () => {
    const { "2xx": answered, non2xx, errors, timeouts, statusCodeStats } = await saturate(200, 8);
    expect(answered).toBeGreaterThan(0);
    expect(non2xx).toBeGreaterThan(0);
    expect([errors, timeouts]).toEqual([0, 0]);
    expect(Object.keys(statusCodeStats ?? {}).sort()).toEqual(["200", "429"]);
    expect((await get(url, "/readyz")).status).toBe(200);
    // What stood in the queue when the clients went is still taken from it.
    await expect.poll(() => metric(url, 'lectern_queue_depth{model="tiny"}'), { timeout: 5_000 }).toBe(0);
  });

  test("does not grow", async () => {
    const resident = async () => (await metric(url, "process_resident_memory_bytes"))! + (await metric(url, 'lectern_model_memory_bytes{model="tiny"}'))!;
    const measured: number[] = [];
    for (let round = 0; round < 9; round++) {
      const { statuses } = await sendLoad(url, items, 80, 10, uniform);
      expect(Object.keys(statuses)).toEqual(["200"]);
      measured.push(await resident());
    }
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(measured.slice(6))).toBeLessThan(1.1 * mean(measured.slice(3, 6)));
  });
});
