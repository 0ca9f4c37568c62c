/** Data sets by name, from the pretended hub. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type FakeHub, fakeRepository, openFakeHub, type Trouble } from "../../test/fake-hub.js";
import { startPython } from "../../test/process.js";
import { hubSettings } from "../checkpoint/hub-cache.js";
import { loadExamples } from "./examples.js";
import { bringHubSplit, bringHubSplits } from "./hub-data-sets.js";
import { dataWarnings } from "./report-lines.js";

const parquet = readFileSync("test/squad-columns-zstd.parquet"); // 12 questions
const row = (id: string): string => `${JSON.stringify({ id, question: "Which city?", context: "Rome is old.", answers: { text: ["Rome"], answer_start: [0] } })}\n`;

let root: string;
let hub: FakeHub;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "hub-data-"));
  hub = await openFakeHub();
  hub.repositories["datasets/org/own"] = fakeRepository({
    main: {
      "README.md":
        "---\nconfigs:\n- config_name: plain_text\n  default: true\n  data_files:\n  - split: train\n    path: plain_text/train-*\n  - split: validation\n    path: [plain_text/validation-*]\n- config_name: small\n  data_files: small/*.jsonl\n---\n# Own\n",
      "plain_text/train-00000-of-00002.parquet": parquet,
      "plain_text/train-00001-of-00002.parquet": Buffer.concat([parquet]),
      "plain_text/validation-00000-of-00001.parquet": parquet,
      "small/a.jsonl": row("a"),
      "small/b.jsonl": row("b"),
    },
    v2: { "train.jsonl": row("2") },
  });
  hub.repositories["datasets/org/script"] = fakeRepository({
    main: { "script.py": "", "train.json": "raw material", "README.md": "# no front matter" },
    "refs/convert/parquet": {
      "one/train/0000.parquet": parquet,
      "one/test/0000.parquet": parquet,
      "two/partial-train/0000.parquet": parquet,
    },
  });
  hub.repositories["datasets/org/named"] = fakeRepository({
    main: { "data/train.jsonl": row("t"), "data/dev.jsonl": row("d"), "dataset_infos.json": "{}" },
  });
  hub.repositories["datasets/org/plain"] = fakeRepository({ main: { "questions.jsonl": row("q") } });
  hub.repositories["datasets/org/none"] = fakeRepository({ main: { "audio.wav": "" } });
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  vi.stubEnv("HF_HOME", root);
  vi.stubEnv("HF_TOKEN", "");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  await rm(root, { recursive: true });
});

const idsOf = async (source: string, split?: "train" | "evaluation"): Promise<string[]> =>
  (await loadExamples(source, { split })).examples.map(({ id }) => id);
const settings = () => ({ ...hubSettings(), retryDelay: 5 });

describe("a name means", () => {
  test("the split of its role, told with configuration and commit", async () => {
    const { examples, report } = await loadExamples("hub:org/own");
    expect(examples).toHaveLength(24);
    const evaluation = await loadExamples("hub:org/own", { split: "evaluation" });
    expect(evaluation.examples).toHaveLength(12);
    expect(dataWarnings(report)[0]).toMatch(/^hub:org\/own: split train of configuration plain_text, 2 files at commit [0-9a-f]{12}$/);
    expect(evaluation.report.hub).toMatchObject([{ split: "validation", configuration: "plain_text" }]);
  });

  test("the configuration, the split and the revision that it names", async () => {
    expect(await idsOf("hub:org/own:small")).toEqual(["a", "b"]);
    expect(await idsOf("hub:org/own:small:train")).toEqual(["a", "b"]);
    expect(await idsOf("hub:org/own:validation")).toHaveLength(12);
    expect(await idsOf("hub:org/own@v2")).toEqual(["2"]);
    expect(await idsOf("hub:org/script@refs/convert/parquet:one:test")).toHaveLength(12);
  });

  test("what the hub converted, where the repository has a program", async () => {
    const { report } = await loadExamples("hub:org/script:one", { split: "evaluation" });
    expect(report.hub).toMatchObject([{ split: "test", configuration: "one" }]);
    const partial = await loadExamples("hub:org/script:two");
    expect(dataWarnings(partial.report)[0]).toContain("the hub has converted only the first part");
  });

  test("files whose names say the split, and all files where nothing does", async () => {
    expect(await idsOf("hub:org/named")).toEqual(["t"]);
    expect(await idsOf("hub:org/named", "evaluation")).toEqual(["d"]);
    expect(await idsOf("hub:org/plain")).toEqual(["q"]);
  });
});

describe("the cache", () => {
  const folder = (): string => path.join(root, "hub", "datasets--org--own");

  test("is Python's, and serves without the hub", async () => {
    await idsOf("hub:org/own");
    const { commit } = hub.repositories["datasets/org/own"].revisions["main"];
    expect(await readFile(path.join(folder(), "refs", "main"), "utf8")).toBe(commit);
    expect(existsSync(path.join(folder(), "snapshots", commit, "plain_text", "train-00000-of-00002.parquet"))).toBe(true);
    hub.log = [];
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await idsOf("hub:org/own")).toHaveLength(24);
    await expect(idsOf("hub:org/own:validation")).rejects.toMatchObject({ code: "HUB_OFFLINE" });
    await expect(idsOf("hub:org/named")).rejects.toMatchObject({ code: "HUB_OFFLINE" });
    expect(hub.log).toEqual([]);
  });

  test("is asked for nothing twice", async () => {
    await bringHubSplits("hub:org/own", { settings: settings() });
    hub.log = [];
    await bringHubSplit("hub:org/own", { role: "train", settings: settings() });
    expect(hub.log).toEqual(["GET /api/datasets/org/own/revision/main"]);
  });

  test("a download that was broken goes on, and a split is not there before all of it is", async () => {
    const cut: Trouble = (request, response, content) => {
      if (request.method !== "GET" || !request.url?.startsWith("/cdn/") || request.headers.range) return false;
      response.writeHead(200, { "content-length": content!.length });
      response.write(content!.subarray(0, 1000), () => setTimeout(() => response.destroy(), 5));
      return true;
    };
    hub.trouble = [cut];
    await bringHubSplit("hub:org/own", { role: "train", settings: settings() });
    expect(hub.log.filter((line) => line.includes("/cdn/") && line.endsWith("bytes=1000-"))).toHaveLength(1);
  });
});

describe("told in plain words", () => {
  test.each([
    ["hub:org/own:tset", "HUB_SPLIT", /no split tset[^]*plain_text \(train, validation\); small \(train\)/],
    ["hub:org/own:big:train", "HUB_SPLIT", /no configuration big/],
    ["hub:org/script", "HUB_SPLIT", /2 configurations[^]*one \(test, train\); two \(train\)[^]*hub:org\/script:one:train/],
    ["hub:org/none", "HUB_NO_DATA", /audio\.wav/],
    ["hub:org/missing", "HUB_NOT_FOUND", /no data set org\/missing/],
    ["hub:org/own@v9", "HUB_NOT_FOUND", /no revision v9/],
    ["hub:org/gated", "HUB_FORBIDDEN", /datasets\/org\/gated, accept its terms/],
    ["hub:org/private", "HUB_UNAUTHORIZED", /no public data set/],
    ["hub:", "HUB_NAME", /hub:ORGANISATION\/NAME/],
    ["hub:../x", "HUB_NAME", /does not name data/],
    ["hub:org/own:a:b:c", "HUB_NAME", /does not name data/],
  ])("%s", async (source, code, message) => {
    const error: unknown = await loadExamples(source).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  test("a data set with nothing to evaluate on", async () => {
    await expect(idsOf("hub:org/plain", "evaluation")).rejects.toThrow(/no split for evaluation/);
  });

  test("paths that lead elsewhere are not brought", async () => {
    hub.repositories["datasets/org/evil"] = fakeRepository({ main: { "../../train.jsonl": row("x"), "a/../train.jsonl": row("x"), "/train.jsonl": row("x") } });
    await expect(idsOf("hub:org/evil")).rejects.toMatchObject({ code: "HUB_NO_DATA" });
  });
});

const python = process.env["LECTERN_PEER_PYTHON"];
test.skipIf(!python)("Python downloads from the same hub, and finds what was downloaded (needs LECTERN_PEER_PYTHON)", async () => {
  const { files } = await bringHubSplit("hub:org/own", { role: "train", settings: settings() });
  const program = [
    "import os",
    "from huggingface_hub import hf_hub_download, snapshot_download",
    'print(hf_hub_download("org/own", "plain_text/train-00000-of-00002.parquet", repo_type="dataset"))',
    'print(snapshot_download("org/own", repo_type="dataset", cache_dir=os.environ["OTHER"]))',
  ].join("\n");
  const other = path.join(root, "other");
  const env = { HF_HUB_CACHE: path.join(root, "hub"), HF_HUB_DISABLE_XET: "1", OTHER: other };
  const { stdout, stderr } = await startPython(python!, program, { cwd: root, env }).ended;
  const lines = stdout.trim().split("\n");
  expect(lines, stderr).toHaveLength(2);
  expect(lines[0]).toBe(files[0]);
  expect(existsSync(path.join(lines[1], "small", "a.jsonl"))).toBe(true);
});
