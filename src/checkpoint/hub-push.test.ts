import { readFileSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FakeHub, fakeRepository, openFakeHub, sha256, type Trouble } from "../../test/fake-hub.js";
import { publishedPaths, writePublishedFolder } from "../../test/published-folder.js";
import { hubSettings, type HubSettings } from "./hub-cache.js";
import { planPush, pushModel, type PushOptions } from "./hub-push.js";
import { downloadModel } from "./hub.js";

let root: string;
let folder: string;
let hub: FakeHub;
let settings: HubSettings;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "push-"));
  folder = path.join(root, "mine");
  await writePublishedFolder(folder);
  hub = await openFakeHub();
  settings = { ...hubSettings({}), endpoint: hub.endpoint, token: "right", cache: path.join(root, "hub"), retryDelay: 5, idleTimeout: 2_000 };
});

afterEach(async () => {
  await hub.close();
  await rm(root, { recursive: true });
});

const push = (options: PushOptions = {}, name = "org/mine") => pushModel(folder, name, { settings, ...options });
const onHub = (name = "models/org/mine", revision = "main") => hub.repositories[name].revisions[revision].files;
const requests = (pattern: RegExp) => hub.log.filter((line) => pattern.test(line));
const weights = () => readFileSync(path.join(folder, "model.safetensors"));

/** Answers a request of this method and place with a status. */
const status =
  (code: number, method: string, place: string): Trouble =>
  (request, response) => {
    if (request.method !== method || !request.url?.includes(place)) return false;
    request.resume().on("end", () => response.writeHead(code).end());
    return true;
  };

describe("a push", () => {
  test("makes a private repository and commits what is for others", async () => {
    const notes: string[] = [];
    const report = await push({ message: "first", onNote: (line) => notes.push(line) });
    expect(hub.repositories["models/org/mine"]).toMatchObject({ isPrivate: true, messages: ["first"] });
    expect(Object.keys(onHub()).sort()).toEqual([".gitattributes", ...publishedPaths].sort());
    expect(Buffer.from(onHub()["model.safetensors"]).equals(weights())).toBe(true);
    expect(Buffer.from(onHub()["onnx/model.onnx"]).toString()).toBe("a small graph");
    expect(report).toMatchObject({ model: "org/mine", revision: "main", url: `${hub.endpoint}/org/mine`, created: true, private: true, files: publishedPaths, changed: publishedPaths });
    expect(report.commit).toBe(hub.repositories["models/org/mine"].revisions["main"].commit);
    expect(requests(/PUT \/storage/)).toHaveLength(4); // three parts of the weights, one graph
    expect(notes).toEqual(["paths of this machine are left out of README.md, config.json, recipe.yaml"]);
  });

  test("can be pulled", async () => {
    const { commit } = await push();
    const pulled = await downloadModel("org/mine", { settings });
    expect(path.basename(pulled)).toBe(commit);
    expect((await readFile(path.join(pulled, "model.safetensors"))).equals(weights())).toBe(true);
  });

  test("names no path of this machine", async () => {
    await push();
    const text = (name: string) => Buffer.from(onHub()[name]).toString();
    for (const name of publishedPaths) expect(/home.ada|C:\\/.exec(text(name))?.[0]).toBeUndefined();
    expect(text("README.md")).toBe(
      "---\nlicense: mit\ndatasets:\n  - rajpurkar/squad\n---\n\n# mine\n\nTrained on `train.json`, `more.json` and `data/dev.json`.\n",
    );
    expect(text("config.json")).toBe('{\n  "model_type": "bert",\n  "_name_or_path": "bert",\n  "layer_norm_eps": 1.0\n}\n');
    expect(text("recipe.yaml")).toBe("model: tiny\ntrain_files:\n  - train.json\noutput_dir: mine\n");
    expect(text("tokenizer.json")).toContain('"/usr/bin"'); // a token is no path
  });

  test("writes a card where there is none", async () => {
    await rm(path.join(folder, "README.md"));
    await writeFile(path.join(folder, "config.json"), '{"architectures": ["BertForQuestionAnswering"]}');
    await push();
    expect(Buffer.from(onHub()["README.md"]).toString()).toBe(
      "---\nlibrary_name: transformers\npipeline_tag: question-answering\ntags:\n  - lectern\n---\n\n# mine\n",
    );
  });

  test("sends only what differs, and nothing a second time", async () => {
    const { commit } = await push();
    hub.log.length = 0;
    expect(await push()).toMatchObject({ commit, created: false, changed: [], bytesSent: 0 });
    expect(requests(/PUT|\/commit\//)).toEqual([]);
    await writeFile(path.join(folder, "all_results.json"), "{}\n");
    const third = await push();
    expect(third).toMatchObject({ changed: ["all_results.json"], bytesSent: 3 });
    expect(third.commit).not.toBe(commit);
    expect(hub.repositories["models/org/mine"].messages).toEqual(["Upload with Lectern", "Upload with Lectern"]);
  });

  test("goes to a branch, to one's own account, into a public repository", async () => {
    await push({ revision: "onnx", private: false });
    expect(hub.repositories["models/org/mine"].isPrivate).toBe(false);
    expect(Object.keys(onHub())).toEqual([".gitattributes"]);
    expect(Object.keys(onHub("models/org/mine", "onnx"))).toContain("model.safetensors");
    expect(await push({}, "org/mine@onnx")).toMatchObject({ changed: [], url: `${hub.endpoint}/org/mine/tree/onnx` });
    expect(await push({}, "mine")).toMatchObject({ model: "me/mine", private: true });
  });

  test("says where a repository that was there is public", async () => {
    hub.repositories["models/org/mine"] = fakeRepository({ main: { "README.md": "old", "extra.txt": "kept" } });
    const notes: string[] = [];
    expect(await push({ onNote: (line) => notes.push(line) })).toMatchObject({ created: false, private: false });
    expect(notes[0]).toBe("org/mine was there already and is public; whether it is, is set on its page");
    expect(Buffer.from(onHub()["extra.txt"]).toString()).toBe("kept");
  });
});

test("what is asked for goes, too, but no lock; a public repository that was to be private gets nothing", async () => {
  await writeFile(path.join(folder, "checkpoint-10/recipe.yaml"), "output_dir: /home/ada/runs/mine\n");
  await push({ include: ["checkpoint-10/**", "{notes.json,README.md}"] });
  expect(Buffer.from(onHub()["checkpoint-10/recipe.yaml"]).toString()).toBe("output_dir: mine\n");
  expect(Object.keys(onHub()).sort()).toEqual([".gitattributes", ...publishedPaths, "checkpoint-10/model.safetensors", "checkpoint-10/recipe.yaml", "notes.json"].sort());
  await expect(planPush(folder, { include: [".lectern-lock"] })).rejects.toMatchObject({ code: "HUB_NOTHING_ASKED" });
  await expect(planPush(folder, { include: ["../mine/notes.json"] })).rejects.toMatchObject({ code: "HUB_NOTHING_ASKED" });
  hub.repositories["models/org/open"] = fakeRepository({ main: {} });
  await expect(push({ mustBePrivate: true }, "org/open")).rejects.toMatchObject({ code: "HUB_REFUSED", message: expect.stringContaining("is public") as string });
  expect(Object.keys(onHub("models/org/open"))).toEqual([]);
});

describe("what is in the way", () => {
  test("broken connections and a hub that is busy", async () => {
    const cut: Trouble = (request) => {
      if (!request.url?.includes("/storage/")) return false;
      request.once("data", () => request.socket.destroy());
      return true;
    };
    hub.trouble = [status(503, "POST", "/api/repos/create"), status(502, "POST", "/preupload/"), status(500, "POST", "/batch"), cut, status(503, "PUT", "/storage/"), status(503, "POST", "/complete"), status(504, "POST", "/verify")];
    await push();
    expect(hub.trouble).toEqual([]);
    expect(sha256(onHub()["model.safetensors"])).toBe(sha256(weights()));
  });

  test("an address that has expired is asked for again, once", async () => {
    hub.trouble = [status(403, "PUT", "/storage/")];
    await push();
    expect(sha256(onHub()["model.safetensors"])).toBe(sha256(weights()));
    await writeFile(path.join(folder, "onnx/model.onnx"), "another graph");
    hub.trouble = [status(403, "PUT", "/storage/"), status(403, "PUT", "/storage/")];
    await expect(push()).rejects.toMatchObject({ code: "HUB_REFUSED", message: expect.stringContaining("storage does not take onnx/model.onnx") as string });
  });

  test("a commit whose answer is lost is not made twice", async () => {
    const unheard: Trouble = (request, response) => {
      if (!request.url?.includes("/commit/")) return false;
      hub.trouble = [];
      response.end = () => response.destroy(); // it is made, and nobody hears of it
      return false;
    };
    hub.trouble = [unheard];
    const { commit } = await push();
    expect(hub.repositories["models/org/mine"].messages).toHaveLength(1);
    expect(commit).toBe(hub.repositories["models/org/mine"].revisions["main"].commit);
  });

  test("somebody who commits at the same time", async () => {
    hub.trouble = [status(412, "POST", "/commit/")];
    expect(await push()).toMatchObject({ changed: publishedPaths });
    expect(hub.repositories["models/org/mine"].messages).toHaveLength(1);
  });

  test("a push that ended early goes on with the files that are not there yet", async () => {
    hub.trouble = Array.from({ length: 5 }, () => status(503, "PUT", `/storage/${sha256(Buffer.from("a small graph"))}`));
    await expect(push()).rejects.toMatchObject({ code: "HUB_UNREACHABLE", message: expect.stringContaining("Could not send org/mine") as string });
    expect(Object.keys(onHub())).toEqual([".gitattributes"]);
    hub.log.length = 0;
    const there: string[] = [];
    await push({ onProgress: ({ file, wasThere }) => void (wasThere && there.push(file)) });
    expect(there).toEqual(["model.safetensors"]);
    expect(requests(/PUT \/storage/)).toHaveLength(1);
  });

  test.each<[string, (file: string) => Promise<void>]>([
    ["written into", (file) => appendFile(file, "x")],
    ["cut off", (file) => truncate(file, 50_000)],
    ["overwritten", async (file) => writeFile(file, new Uint8Array((await readFile(file)).length))],
  ])("a file that is %s meanwhile", async (_, change) => {
    hub.trouble = [
      (request, response) => {
        if (!request.url?.endsWith("/2")) return false;
        request.resume().on("end", () => void change(path.join(folder, "model.safetensors")).then(() => response.writeHead(503).end()));
        return true;
      },
    ];
    await expect(push()).rejects.toMatchObject({ code: "HUB_FILE_CHANGED" });
    expect(Object.keys(onHub())).toEqual([".gitattributes"]);
    hub.trouble = [];
    await push();
    expect(sha256(onHub()["model.safetensors"])).toBe(sha256(weights()));
  });

  test.each<[string, string, Partial<HubSettings>, string | RegExp]>([
    ["a wrong token", "org/mine", { token: "wrong" }, "HUB_UNAUTHORIZED"],
    ["a token that may only read", "org/mine", { token: "read" }, "HUB_FORBIDDEN"],
    ["no token", "org/mine", { token: undefined }, "HUB_UNAUTHORIZED"],
    ["somebody else's account", "others/mine", {}, "HUB_FORBIDDEN"],
    ["an account that is not there", "nobody/mine", {}, "HUB_NOT_FOUND"],
    ["a name that something else has", "org/taken", {}, "HUB_REFUSED"],
    ["no name", "../etc", {}, "HUB_NAME"],
    ["a commit for a branch", `org/mine@${"a".repeat(40)}`, {}, "HUB_NAME"],
    ["a pull request that is not there", "org/mine@refs/pr/7", {}, "HUB_NOT_FOUND"],
    ["HF_HUB_OFFLINE", "org/mine", { offline: true }, "HUB_OFFLINE"],
  ])("%s", async (_, name, changes, code) => {
    const failure: unknown = await pushModel(folder, name, { settings: { ...settings, ...changes } }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(JSON.stringify(failure)).not.toContain('right"');
    expect(requests(/\/commit\//)).toEqual([]);
  });

  test("a private repository that the hub makes public", async () => {
    hub.trouble = [
      (request, response) => {
        if (!request.url?.endsWith("/create")) return false;
        hub.repositories["models/org/mine"] = fakeRepository({ main: {} });
        request.resume().on("end", () => response.writeHead(200).end("{}"));
        return true;
      },
    ];
    await expect(push()).rejects.toMatchObject({ code: "HUB_REFUSED", message: expect.stringContaining("public") as string });
    expect(requests(/PUT|preupload/)).toEqual([]);
  });

  test("a card that is not YAML is told before anything is sent", async () => {
    await writeFile(path.join(folder, "README.md"), "---\na: [\n---\n");
    await expect(push()).rejects.toMatchObject({ code: "HUB_REFUSED" });
    expect(hub.log).toEqual([]);
  });
});

describe("what is a model folder", () => {
  const plan = async () => (await planPush(folder)).files.map((file) => file.path);

  test("lists what stays", async () => {
    const { files, leftOut } = await planPush(folder);
    expect(files.map((file) => file.path)).toEqual(publishedPaths);
    expect(files.find((file) => file.path === "model.safetensors")?.bytes).toBe(weights().length);
    expect(leftOut).toEqual([".env", ".lectern-lock", "checkpoint-10/", "events.out.tfevents.1", "notes.json", "optimizer.json", "optimizer.safetensors", "pytorch_model.bin", "train.log", "training_args.bin"]);
  });

  test("an export without weights, PyTorch's weights, shards by their index", async () => {
    await rm(path.join(folder, "model.safetensors"));
    expect(await plan()).toContain("pytorch_model.bin");
    await rm(path.join(folder, "pytorch_model.bin"));
    expect(await plan()).toContain("onnx/model.onnx");
    const shard = "model-00001-of-00001.safetensors";
    await writeFile(path.join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: { table: shard } }));
    await expect(plan()).rejects.toMatchObject({ code: "FILE_MISSING" });
    await writeFile(path.join(folder, shard), "weights");
    await writeFile(path.join(folder, "model-00001-of-00002.safetensors"), "of an earlier save");
    expect((await plan()).filter((name) => name.startsWith("model"))).toEqual([shard, "model.safetensors.index.json"]);
  });

  test("what is none is told", async () => {
    await rm(path.join(folder, "config.json"));
    await expect(plan()).rejects.toThrow(/is not a model folder[\s\S]*checkpoint-10/);
    await expect(planPush(path.join(folder, "nothing"))).rejects.toMatchObject({ code: "FILE_MISSING" });
    await expect(planPush(path.join(folder, "recipe.yaml"))).rejects.toMatchObject({ code: "MODEL_FOLDER_INCOMPLETE" });
    await mkdir(path.join(root, "empty"));
    await expect(planPush(path.join(root, "empty"))).rejects.toMatchObject({ code: "MODEL_FOLDER_INCOMPLETE" });
  });

  test.skipIf(process.platform === "win32")("a link to a file elsewhere does not go", async () => {
    await writeFile(path.join(root, "secret"), "{}");
    await rm(path.join(folder, "all_results.json"));
    await symlink(path.join(root, "secret"), path.join(folder, "all_results.json"));
    await expect(plan()).rejects.toMatchObject({ code: "FILE_OUTSIDE_FOLDER" });
  });
});
