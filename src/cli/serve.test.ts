/** `lectern serve` as it is typed: real processes, what they print, and how they end. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningProcess, startOwn } from "../../test/process.js";
import { get, longText, metric, post, until } from "../../test/serving.js";
import { writeTinyReader } from "../../test/tiny-reader.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-cli-serve-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

const lectern = (...words: string[]): RunningProcess => startOwn("src/cli/main.ts", ["serve", ...words], { cwd: folder });

async function start(...words: string[]): Promise<RunningProcess & { url: string }> {
  const running = lectern("--port", "0", "--threads", "1", ...words);
  let told = "";
  running.process.stderr.on("data", (data: Buffer) => (told += data.toString()));
  await running.printed("Ctrl-C ends it");
  return { ...running, url: /Ask at (\S+)/.exec(told)![1] };
}

const one = { question: "Who designed it?", context: "Babbage designed the machine in London." };
const large = { ...one, context: longText(60_000) };

describe("lectern serve", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("on %s answers what it has, and ends well", async (signal) => {
    const { url, process: child, ended } = await start("--model", "tiny");
    const running = post(url, large);
    await until(async () => (await metric(url, 'lectern_queue_depth{model="tiny"}')) === 1);
    child.kill(signal);
    await until(async () => (await get(url, "/readyz")).status === 503);
    expect((await running).status).toBe(200);
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/^loading tiny …\nAsk at http:\/\/127\.0\.0\.1:\d+ .*\nending: what runs is answered/);
    const lines = stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ msg }) => msg === "request").map(({ route, status }) => [route, status])).toContainEqual(["/v1/question-answering", 200]);
    expect(stdout).not.toContain("weaving");
  });

  test("killed takes its models' processes with it", async () => {
    const { url, process: child, ended } = await start("--model", "named=tiny", "--log-content");
    expect((await post(url, { ...one, model: "named" })).status).toBe(200);
    const children = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").catch(() => "")).trim().split(/\s+/).filter(Boolean);
    await fetch(`${url}/healthz`); // a reply is logged when it has been sent: before the next one is
    child.kill("SIGKILL");
    expect((await ended).stdout).toContain("Babbage designed");
    await until(() => children.every((pid) => !isAlive(Number(pid))));
  });

  test("makes API keys and asks for them", async () => {
    const { code, stdout, stderr } = await lectern("--api-keys", "keys.json", "--create-api-key", "alice").ended;
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^The key alice, shown this once/)]);
    const key = stdout.trim();
    expect(key).toMatch(/^lectern-[\w-]{43}$/);
    const { url, process: child, ended } = await start("--model", "tiny", "--api-keys", "keys.json");
    expect((await post(url, one)).status).toBe(401);
    expect((await post(url, one, { authorization: `Bearer ${key}` })).status).toBe(200);
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });

  test.each<[string, string[], RegExp]>([
    ["no model", [], /^error ARGUMENT_MISSING: There is no model to serve/],
    ["a model that is not there", ["--model", "runs/none"], /^loading none …\nerror (FILE_MISSING|HUB_\w+)/],
    ["two of one name", ["--model", "tiny", "--model", "./tiny"], /^error SERVE_MODEL_NAME: Two models are called tiny/],
    ["a size that is none", ["--model", "tiny", "--max-memory", "lots"], /^error USAGE: .*such as 500MB/],
    ["a ceiling that is too low", ["--model", "tiny", "--max-memory", "50MB"], /error SERVE_MEMORY: .*tiny/],
    ["an address that is not ours", ["--model", "tiny", "--host", "203.0.113.1", "--port", "0"], /error SERVE_ADDRESS: /],
    ["a key without a file", ["--create-api-key", "alice"], /^error ARGUMENT_MISSING: .*file/],
  ])("tells %s", async (_, words, message) => {
    const { code, stdout, stderr } = await startOwn("src/cli/main.ts", ["serve", ...words], { cwd: folder, env: { HF_HUB_OFFLINE: "1" } }).ended;
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(message);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
