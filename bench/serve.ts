/**
 * `npm run bench -- serve`: `lectern serve` under load on this machine, clients included: the rate at which it is saturated (autocannon, as
 * many connections as keep it busy), what happens at twice that rate, latencies at half of it (as autocannon paces requests, each connection
 * one a second, and as a Poisson process sends them), and its memory over ten minutes. Every answer to the latter is compared with what
 * QuestionAnswerer says offline.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join, relative } from "node:path";
import autocannon from "autocannon";
import { loadExamples } from "../src/data/examples.js";
import { randomGenerator } from "../src/engine/random.js";
import { InternalError } from "../src/errors.js";
import { QuestionAnswerer } from "../src/tasks/extractive/question-answerer.js";
import { type LoadItem, type LoadResult, sendLoad } from "./load.js";

export interface ServeBench {
  root: string;
  /** A model folder; the bundled one by default. */
  model?: string;
  /** Seconds of each phase of load. */
  seconds: number;
  /** Minutes over which memory is watched; 0: not at all. */
  minutes: number;
}

const questions = 120;
const connections = 16;

export async function benchServe({ root, model = join(root, "starter/minilm-l6"), seconds, minutes }: ServeBench): Promise<object> {
  const items = await loadItems(root, model);
  const server = await startServer(root, model);
  const random = randomGenerator(7, 0);
  const tell = (text: string): void => void process.stderr.write(`${text}\n`);
  const load = async (what: string, rate: number, time: number): Promise<LoadResult> => {
    const result = await sendLoad(server.url, items, rate, time, () => random.uniform());
    tell(`${what}: ${JSON.stringify(result)}`);
    return result;
  };
  try {
    await saturate(server.url, items, 3);
    const saturating = await saturate(server.url, items, seconds);
    tell(`saturated at ${saturating.rate.toFixed(1)} requests a second`);
    const twice = await load("twice that rate", 2 * saturating.rate, seconds);
    const paced = await pace(server.url, items, Math.round(saturating.rate / 2), seconds);
    tell(`half of it, by autocannon: ${JSON.stringify(paced)}`);
    const half = await load("half of it, as they come", saturating.rate / 2, 2 * seconds);
    const memory = await watchMemory(server.url, minutes, () => load("a quarter of it", saturating.rate / 4, 60));
    return {
      model: relative(root, model),
      questions: items.length,
      saturating,
      twice,
      half_by_autocannon: { ...paced, p99_by_median: paced.p99 / paced.median },
      half_as_they_come: { ...half, p99_by_median: half.p99 / half.median },
      answers_that_differ_from_offline: twice.different + half.different,
      memory_by_minute: memory,
    };
  } finally {
    await server.end();
  }
}

/** Questions of the bundled data with the answers that they have offline. */
async function loadItems(root: string, model: string): Promise<LoadItem[]> {
  const { examples } = await loadExamples(join(root, "starter/squad/dev.json"), { limit: questions });
  const reader = await QuestionAnswerer.from(model);
  const texts = examples.map(({ question, context }) => ({ question, context }));
  const answers = await reader.answer(texts);
  reader.release();
  return texts.map((text, index) => ({ body: JSON.stringify(text), expected: answers[index] }));
}

async function startServer(root: string, model: string): Promise<{ url: string; end(): Promise<void> }> {
  const words = [join(root, "dist/cli/main.js"), "serve", "--model", model, "--port", "0", "--log-level", "silent"];
  const child: ChildProcess = spawn(process.execPath, words, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  let told = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr!.on("data", (data: Buffer) => {
      told += data.toString();
      const found = /Ask at (\S+)/.exec(told)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => reject(new InternalError(`lectern serve ended: ${told}`)));
  });
  return { url, end: async () => void (child.kill("SIGTERM"), await ended) };
}

/** Each connection asks again as soon as it has its answer. */
async function saturate(url: string, items: readonly LoadItem[], seconds: number): Promise<{ rate: number; connections: number; median: number }> {
  const { requests: answered, latency, duration, non2xx, errors } = await autocannon({ url, connections, duration: seconds, requests: asRequests(items) });
  if (non2xx + errors > 0) throw new InternalError(`${non2xx + errors} requests failed before the server was overloaded`);
  return { rate: answered.total / duration, connections, median: latency.p50 };
}

/** So many requests a second over as many connections. */
async function pace(url: string, items: readonly LoadItem[], rate: number, seconds: number): Promise<{ rate: number; median: number; p99: number; failed: number }> {
  const options = { url, connections: rate, overallRate: rate, duration: seconds, requests: asRequests(items), ignoreCoordinatedOmission: true };
  const { latency, non2xx, errors, requests, duration } = await autocannon(options);
  return { rate: requests.total / duration, median: latency.p50, p99: latency.p99, failed: non2xx + errors };
}

function asRequests(items: readonly LoadItem[]): autocannon.Request[] {
  return items.map(({ body }) => ({ method: "POST", path: "/v1/question-answering", headers: { "content-type": "application/json" }, body }));
}

/** Resident memory at the end of each minute of load, in MB. */
async function watchMemory(url: string, minutes: number, minuteOfLoad: () => Promise<LoadResult>): Promise<{ server: number; model: number }[]> {
  const measured: { server: number; model: number }[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    await minuteOfLoad();
    const text = await (await fetch(`${url}/metrics`)).text();
    const figure = (name: string): number => Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, "m").exec(text)?.[1]) / 1e6;
    measured.push({ server: figure("process_resident_memory_bytes"), model: figure("lectern_model_memory_bytes") });
  }
  return measured;
}
