import { spawn } from "node:child_process";
import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { commit, type FakeHub, gitSha1, openFakeHub, sha256, type Trouble } from "../../test/fake-hub.js";
import { torchCheckpoint } from "../../test/torch-archive.js";
import { hubSettings, type HubSettings } from "./hub-cache.js";
import { downloadModel, resolveModel } from "./hub.js";
import { openModelFolder } from "./model-folder.js";
import { writeSafetensors } from "./safetensors.js";

let root: string;
let hub: FakeHub;
let settings: HubSettings;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "hub-"));
  const weights = path.join(root, "weights.safetensors");
  await writeSafetensors(weights, [
    { name: "table", dtype: "F32", shape: [50_000], data: Float32Array.from({ length: 50_000 }, (_, i) => Math.sin(i)) },
  ]);
  hub = await openFakeHub({
    ".gitattributes": Buffer.from("*.bin filter=lfs\n"),
    "README.md": Buffer.from("# tiny\n"),
    "config.json": Buffer.from('{"model_type": "bert"}\n'),
    "model.safetensors": readFileSync(weights),
    "onnx/model.onnx": Buffer.from("not wanted"),
    "pytorch_model.bin": Buffer.from("not wanted"),
    "tokenizer.json": Buffer.from("{}"),
    "tokenizer_config.json": Buffer.from("{}"),
    "training_args.bin": Buffer.from("not wanted"),
    "vocab.txt": Buffer.from("[PAD]\n"),
  });
  settings = {
    ...hubSettings({}),
    endpoint: hub.endpoint,
    token: undefined,
    cache: path.join(root, "hub"),
    retryDelay: 5,
    idleTimeout: 2_000,
  };
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  await rm(root, { recursive: true });
});

const cacheOf = (): string => path.join(settings.cache, "models--org--tiny");

/** Sends the first `bytes` of the content, then cuts the connection. */
const cutAfter =
  (bytes: number): Trouble =>
  (request, response, content) => {
    if (request.method !== "GET" || !request.url?.includes("/cdn/") || !content) return false;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": content.length - start,
      ...(start > 0 ? { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
    });
    response.write(content.subarray(start, start + bytes), () => setTimeout(() => response.destroy(), 5));
    return true;
  };

const status =
  (code: number, where: string): Trouble =>
  (request, response) => {
    if (!request.url?.includes(where)) return false;
    response.writeHead(code).end();
    return true;
  };

const filesOfModel = ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"];

describe("a download", () => {
  test("makes the layout of Python's cache, with the files of a model and no others", async () => {
    const folder = await downloadModel("org/tiny", { settings });
    expect(folder).toBe(path.join(cacheOf(), "snapshots", commit));
    expect((await readdir(folder)).sort()).toEqual(filesOfModel);
    expect(await readFile(path.join(cacheOf(), "refs", "main"), "utf8")).toBe(commit);
    expect(readlinkSync(path.join(folder, "model.safetensors"))).toBe(
      path.join("..", "..", "blobs", sha256(hub.files["model.safetensors"])),
    );
    expect(readlinkSync(path.join(folder, "config.json"))).toBe(path.join("..", "..", "blobs", gitSha1(hub.files["config.json"])));
    expect((await readdir(path.join(cacheOf(), "blobs"))).some((name) => name.includes("incomplete"))).toBe(false);
    const { weights } = await openModelFolder(folder);
    expect(weights.readFloat32("table")[1]).toBeCloseTo(Math.sin(1));
    weights.close();
  });

  test("asks only where the branch points when all is there", async () => {
    await downloadModel("org/tiny", { settings });
    hub.log = [];
    await downloadModel("org/tiny@main", { settings });
    expect(hub.log).toEqual(["GET /api/models/org/tiny/revision/main"]);
  });

  test("asks nothing for a commit that is there", async () => {
    await downloadModel(`org/tiny@${commit}`, { settings });
    hub.log = [];
    await downloadModel("org/tiny", { settings, revision: commit });
    expect(hub.log).toEqual([]);
  });

  test("a revision with slashes is kept under its name", async () => {
    await downloadModel("org/tiny@refs/pr/1", { settings });
    expect(await readFile(path.join(cacheOf(), "refs", "refs", "pr", "1"), "utf8")).toBe(commit);
  });

  test("a file that has the same content in two places is brought once", async () => {
    await downloadModel("org/tiny", { settings });
    expect(hub.log.filter((line) => line.startsWith("GET") && line.includes("tokenizer"))).toHaveLength(1); // both are {}
  });

  test("tells its progress", async () => {
    const events: { file: string; received: number; total?: number }[] = [];
    await downloadModel("org/tiny", { settings, onProgress: (event) => events.push(event) });
    const size = hub.files["model.safetensors"].length;
    expect(events.at(-1)).toEqual({ file: "model.safetensors", received: size, total: size });
    expect(events.filter((event) => event.received === event.total)).toHaveLength(6);
  });

  test("sharded weights come by their index, and only those", async () => {
    const index = { metadata: {}, weight_map: { table: "model-00001-of-00001.safetensors" } };
    hub.files = {
      ...hub.files,
      "model-00001-of-00001.safetensors": hub.files["model.safetensors"],
      "model.fp16.safetensors": Buffer.from("not wanted"),
    };
    delete hub.files["model.safetensors"];
    hub.files["model.safetensors.index.json"] = Buffer.from(JSON.stringify(index));
    const folder = await downloadModel("org/tiny", { settings });
    const { weights } = await openModelFolder(folder);
    expect(weights.names()).toEqual(["table"]);
    weights.close();
    expect(existsSync(path.join(folder, "model.fp16.safetensors"))).toBe(false);
  });

  test("what PyTorch pickled comes where there is nothing else, whole or in parts, and no other pickle", async () => {
    delete hub.files["model.safetensors"];
    const pickled = torchCheckpoint([{ name: "table", shape: [2], data: Float32Array.of(1, 2) }]);
    hub.files["pytorch_model.bin"] = pickled;
    const firstValue = async (folder: string) => {
      const { weights } = await openModelFolder(folder);
      const [value] = weights.readFloat32("table");
      weights.close();
      return value;
    };
    const whole = await downloadModel("org/tiny", { settings });
    expect(await firstValue(whole)).toBe(1);
    expect((await readdir(whole)).filter((name) => name.endsWith(".bin"))).toEqual(["pytorch_model.bin"]);
    expect(await downloadModel("org/tiny", { settings: { ...settings, offline: true } })).toBe(whole);

    const part = "pytorch_model-00001-of-00001.bin";
    delete hub.files["pytorch_model.bin"];
    hub.files[part] = pickled;
    hub.files["pytorch_model.bin.index.json"] = Buffer.from(JSON.stringify({ weight_map: { table: part } }));
    const parts = await downloadModel("org/tiny", { settings: { ...settings, cache: path.join(root, "another cache") } });
    expect(await firstValue(parts)).toBe(1);
    expect((await readdir(parts)).filter((name) => name.includes(".bin"))).toEqual([part, "pytorch_model.bin.index.json"]);
  });

  test("an index that points outside is refused", async () => {
    delete hub.files["model.safetensors"];
    hub.files["model.safetensors.index.json"] = Buffer.from('{"weight_map": {"table": "../../../../evil.safetensors"}}');
    await expect(downloadModel("org/tiny", { settings })).rejects.toMatchObject({ code: "CHECKPOINT_INDEX_CORRUPT" });
  });

  test("the token goes to the hub and not to where it redirects", async () => {
    let seen: string | undefined;
    hub.trouble = [(request) => ((seen ??= request.headers.authorization), false)];
    await downloadModel("org/tiny", { settings: { ...settings, token: "secret" } });
    expect(seen).toBe("Bearer secret");
  });

  test("follows a renamed model", async () => {
    hub.trouble = [
      (request, response) => {
        if (request.method !== "HEAD") return false;
        response.writeHead(307, { location: request.url }).end();
        return true;
      },
    ];
    await downloadModel("org/tiny", { settings });
    expect(hub.log[1]).toBe(hub.log[2]);
  });

  test("two at once share the work", async () => {
    const folders = await Promise.all([downloadModel("org/tiny", { settings }), downloadModel("org/tiny", { settings })]);
    expect(folders[0]).toBe(folders[1]);
    expect(hub.log.filter((line) => line.startsWith("GET /cdn/model.safetensors"))).toHaveLength(1);
  });

  test("where links are not possible, files are copies", async () => {
    const folder = path.join(cacheOf(), "snapshots", commit);
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "config.json"), hub.files["config.json"]); // as Python leaves it on Windows
    await downloadModel("org/tiny", { settings });
    expect(lstatSync(path.join(folder, "config.json")).isSymbolicLink()).toBe(false);
    expect(hub.log.some((line) => line.includes("config.json") && !line.includes("tokenizer"))).toBe(false);
  });
});

describe("broken connections", () => {
  test("are taken up where they were cut", async () => {
    hub.trouble = [cutAfter(70_000), cutAfter(50_000)];
    const folder = await downloadModel("org/tiny", { settings });
    expect(await readFile(path.join(folder, "model.safetensors"))).toEqual(hub.files["model.safetensors"]);
    expect(hub.log.filter((line) => line.includes("/cdn/")).map((line) => line.split(" ")[2])).toEqual([
      undefined,
      "bytes=70000-",
      "bytes=120000-",
    ]);
  });

  test("a later run goes on with what an earlier one left", async () => {
    const content = hub.files["model.safetensors"];
    await mkdir(path.join(cacheOf(), "blobs"), { recursive: true });
    await writeFile(path.join(cacheOf(), "blobs", `${sha256(content)}.incomplete`), content.subarray(0, 123_456));
    await downloadModel("org/tiny", { settings });
    expect(hub.log.filter((line) => line.includes("/cdn/"))).toEqual(["GET /cdn/model.safetensors bytes=123456-"]);
  });

  test("a damaged rest of an earlier run costs one more download", async () => {
    const content = hub.files["model.safetensors"];
    await mkdir(path.join(cacheOf(), "blobs"), { recursive: true });
    await writeFile(path.join(cacheOf(), "blobs", `${sha256(content)}.incomplete`), new Uint8Array(100_000));
    const folder = await downloadModel("org/tiny", { settings });
    expect(await readFile(path.join(folder, "model.safetensors"))).toEqual(content);
  });

  test("a server that ignores ranges sends the whole file again", async () => {
    hub.trouble = [
      cutAfter(70_000),
      (request, response, content) => {
        if (!request.url?.includes("/cdn/")) return false;
        response.writeHead(200, { "content-length": content!.length }).end(content);
        return true;
      },
    ];
    const folder = await downloadModel("org/tiny", { settings });
    expect(await readFile(path.join(folder, "model.safetensors"))).toEqual(hub.files["model.safetensors"]);
  });

  for (const where of ["/api/models", "/resolve/", "/cdn/"]) {
    test(`a fault of the server at ${where} is tried again`, async () => {
      hub.trouble = [status(503, where), status(500, where), status(429, where)];
      const folder = await downloadModel("org/tiny", { settings });
      expect(existsSync(path.join(folder, "model.safetensors"))).toBe(true);
    });
  }

  test("a connection that falls silent is given up and taken up again", async () => {
    settings.idleTimeout = 300;
    hub.trouble = [
      (request, response, content) => {
        if (!request.url?.includes("/cdn/")) return false;
        response.writeHead(200, { "content-length": content!.length });
        response.write(content!.subarray(0, 1000));
        return true;
      },
    ];
    const folder = await downloadModel("org/tiny", { settings });
    expect(await readFile(path.join(folder, "model.safetensors"))).toEqual(hub.files["model.safetensors"]);
  });

  test("that bring nothing end in a clear error, and leave no snapshot that looks whole", async () => {
    hub.trouble = Array.from({ length: 20 }, () => status(502, "/cdn/"));
    await expect(downloadModel("org/tiny", { settings })).rejects.toMatchObject({ code: "HUB_UNREACHABLE" });
    expect(existsSync(path.join(cacheOf(), "refs", "main"))).toBe(false);
    await expect(downloadModel("org/tiny", { settings: { ...settings, offline: true } })).rejects.toMatchObject({ code: "HUB_OFFLINE" });
  });

  test("a wrong checksum, twice, is an error and nothing is kept", async () => {
    const wrong: Trouble = (request, response, content) => {
      if (!request.url?.includes("/cdn/")) return false;
      response.writeHead(200, { "content-length": content!.length }).end(new Uint8Array(content!.length));
      return true;
    };
    hub.trouble = [wrong, wrong];
    await expect(downloadModel("org/tiny", { settings })).rejects.toMatchObject({ code: "HUB_CHECKSUM" });
    expect(
      (await readdir(path.join(cacheOf(), "blobs"))).filter((name) => name.startsWith(sha256(hub.files["model.safetensors"]))),
    ).toEqual([]);
  });

  for (const [name, announced] of [
    ["more than it announces", "10"],
    ["a size that is none", "many"],
    ["less than nothing", "-5"],
  ] as const) {
    test(`a hub that sends ${name} does not keep the download going`, async () => {
      const lie: Trouble = (request, response, content) => {
        hub.trouble.push(lie); // for ever
        if (request.method !== "HEAD" || !content || !request.url?.endsWith("model.safetensors")) return false;
        response.writeHead(200, { "x-linked-etag": `"${sha256(content)}"`, "x-linked-size": announced }).end();
        return true;
      };
      hub.trouble = [lie];
      const download = downloadModel("org/tiny", { settings });
      if (announced === "10") await expect(download).rejects.toThrow(/more came than the 10 bytes/);
      else expect(existsSync(path.join(await download, "model.safetensors"))).toBe(true); // the checksum decides
    });
  }

  test("a wrong checksum of a small file is found too", async () => {
    const wrong: Trouble = (request, response, content) => {
      if (request.method !== "GET" || !request.url?.endsWith("/config.json")) return false;
      response.writeHead(200, { "content-length": content!.length }).end(Buffer.alloc(content!.length, "x"));
      return true;
    };
    hub.trouble = [wrong, wrong];
    await expect(downloadModel("org/tiny", { settings })).rejects.toMatchObject({ code: "HUB_CHECKSUM" });
  });

  test("can be interrupted, and taken up later", async () => {
    const stop = new AbortController();
    const onProgress = ({ file, received }: { file: string; received: number }): void => {
      if (file === "model.safetensors" && received > 0) stop.abort(new Error("enough"));
    };
    hub.trouble = [cutAfter(70_000)];
    await expect(downloadModel("org/tiny", { settings, onProgress, signal: stop.signal })).rejects.toThrow("enough");
    hub.log = [];
    await downloadModel("org/tiny", { settings });
    expect(hub.log.filter((line) => line.includes("/cdn/"))[0]).toMatch(/bytes=\d+-/);
  });
});

describe("without the hub", () => {
  test("the copy in the cache serves", async () => {
    const folder = await downloadModel("org/tiny", { settings });
    hub.log = [];
    expect(await downloadModel("org/tiny", { settings: { ...settings, offline: true } })).toBe(folder);
    expect(await downloadModel("org/tiny", { settings: { ...settings, endpoint: "http://127.0.0.1:9" } })).toBe(folder);
    expect(hub.log).toEqual([]);
  });

  test("a copy that Python made serves, links and all", async () => {
    const folder = path.join(cacheOf(), "snapshots", commit);
    await mkdir(path.join(cacheOf(), "blobs"), { recursive: true });
    await mkdir(path.join(cacheOf(), "refs"), { recursive: true });
    await mkdir(folder, { recursive: true });
    for (const name of ["config.json", "model.safetensors"]) {
      await writeFile(path.join(cacheOf(), "blobs", gitSha1(hub.files[name])), hub.files[name]);
      await symlink(`../../blobs/${gitSha1(hub.files[name])}`, path.join(folder, name));
    }
    await writeFile(path.join(cacheOf(), "refs", "main"), commit);
    expect(await downloadModel("org/tiny", { settings: { ...settings, offline: true } })).toBe(folder);
    // With the hub at hand, what Python did not bring is added.
    await downloadModel("org/tiny", { settings });
    expect(existsSync(path.join(folder, "tokenizer.json"))).toBe(true);
    expect(hub.log.some((line) => line.includes("/cdn/"))).toBe(false);
  });

  test("a model that is not there is a clear error", async () => {
    await expect(downloadModel("org/tiny", { settings: { ...settings, offline: true } })).rejects.toMatchObject({ code: "HUB_OFFLINE" });
    const gone = { ...settings, endpoint: "http://127.0.0.1:9" };
    await expect(downloadModel("org/tiny", { settings: gone })).rejects.toThrow(/Could not get org\/tiny from http:\/\/127.0.0.1:9/);
  });
});

describe("what the hub refuses", () => {
  const cases: [string, string, string | undefined, string, RegExp][] = [
    ["no such model", "org/none", undefined, "HUB_NOT_FOUND", /no model org\/none/],
    ["no such revision", "org/tiny@v9", undefined, "HUB_NOT_FOUND", /no revision v9/],
    ["a private model without a token", "org/private", undefined, "HUB_UNAUTHORIZED", /set HF_TOKEN/],
    ["a token that is not valid", "org/private", "wrong", "HUB_UNAUTHORIZED", /does not accept the token/],
    ["a model not open to this token", "org/private", "right", "HUB_FORBIDDEN", /owner of this token/],
    ["a gated model", "org/gated", undefined, "HUB_FORBIDDEN", /accept its terms/],
  ];
  for (const [name, model, token, code, message] of cases) {
    test(name, async () => {
      const failure = downloadModel(model, { settings: { ...settings, token } });
      await expect(failure).rejects.toMatchObject({ name: "LecternError", code });
      await expect(failure).rejects.toThrow(message);
    });
  }

  test("a model without weights that can be read", async () => {
    delete hub.files["model.safetensors"];
    delete hub.files["pytorch_model.bin"];
    hub.files["tf_model.h5"] = Buffer.from("not wanted");
    const failure = downloadModel("org/tiny", { settings });
    await expect(failure).rejects.toMatchObject({ code: "HUB_NO_WEIGHTS" });
    await expect(failure).rejects.toThrow(/pytorch_model.bin[^]*tf_model.h5/);
  });

  test("a list of files without an end", async () => {
    const endless: Trouble = (_request, response) => {
      hub.trouble.push(endless);
      response.writeHead(200, { "content-type": "application/json" });
      const more = (): void => {
        while (response.write("[".repeat(1 << 20)) && !response.destroyed);
      };
      response.on("drain", more);
      more();
      return true;
    };
    hub.trouble = [endless];
    await expect(downloadModel("org/tiny", { settings })).rejects.toThrow(/an answer of more than 16777216 bytes/);
  });

  test("names of files that lead elsewhere are not asked for", async () => {
    const names = [
      "../config.json",
      "..\\vocab.txt",
      "C:vocab.txt",
      "/etc/README.md",
      "a/../../tokenizer.json",
      "tokenizer.json\n../x",
      "NUL",
      "__proto__",
    ];
    for (const name of names) hub.files[name] = Buffer.from("evil");
    const folder = await downloadModel("org/tiny", { settings });
    expect((await readdir(folder)).sort()).toEqual(filesOfModel);
    expect(hub.log.filter((line) => /evil|\.\.|C:|etc|NUL/.test(line))).toEqual([]);
  });

  test("an answer that is not the hub's", async () => {
    hub.trouble = [(_, response) => (response.writeHead(200).end("<html>log in to the wireless network</html>"), true)];
    await expect(downloadModel("org/tiny", { settings })).rejects.toMatchObject({ code: "HUB_UNREACHABLE" });
  });

  for (const name of [
    "",
    "a/b/c",
    "../x",
    "org/..",
    "org/a--b",
    "org/tiny@",
    "org/tiny@../x",
    "org/tiny@a/../../b",
    "http://x/y",
    "org/na me",
  ]) {
    test(`${JSON.stringify(name)} is not a name`, async () => {
      await expect(downloadModel(name, { settings })).rejects.toMatchObject({ code: "HUB_NAME" });
      expect(hub.log).toEqual([]);
    });
  }
});

describe("resolveModel", () => {
  beforeEach(() => {
    vi.stubEnv("HF_ENDPOINT", `${settings.endpoint}/`);
    vi.stubEnv("HF_HOME", root);
  });

  test("a folder that exists is itself", async () => {
    expect(await resolveModel(root)).toBe(root);
  });

  test("a name is looked for where the environment says", async () => {
    expect(await resolveModel("org/tiny")).toBe(path.join(root, "hub", "models--org--tiny", "snapshots", commit));
  });

  test("a path that does not exist is not asked of the hub", async () => {
    for (const missing of ["./nothing", "/nowhere/at/all", "src/nothing", "runs/nothing", "outputs/mine", "mine/checkpoint-500"]) {
      await expect(resolveModel(missing)).rejects.toMatchObject({ code: "FILE_MISSING" });
    }
    await expect(resolveModel("starter/minilm-l66")).rejects.toThrow(`Did you mean ${path.join("starter", "minilm-l6")}?`);
    await expect(resolveModel("runs/nothing")).rejects.toThrow("A training makes it: run that first");
    expect(hub.log).toEqual([]);
  });
});

const python = process.env["LECTERN_PEER_PYTHON"];
test.skipIf(!python)("Python finds the download in the cache, offline (needs LECTERN_PEER_PYTHON)", async () => {
  const folder = await downloadModel("org/tiny", { settings });
  const program = [
    "from huggingface_hub import hf_hub_download, snapshot_download",
    'print(hf_hub_download("org/tiny", "model.safetensors"))',
    'print(snapshot_download("org/tiny", local_files_only=True))',
  ].join("\n");
  const child = spawn(python!, ["-c", program], { env: { ...process.env, HF_HUB_CACHE: settings.cache, HF_HUB_OFFLINE: "1" } });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.on("close", resolve));
  expect(output.trim().split("\n")).toEqual([path.join(folder, "model.safetensors"), folder]);
});
