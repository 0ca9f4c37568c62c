/** lectern push as a process, against the pretended hub. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type FakeHub, openFakeHub, sha256 } from "../../test/fake-hub.js";
import { startOwn, startPython } from "../../test/process.js";
import { publishedPaths, writePublishedFolder } from "../../test/published-folder.js";

let root: string;
let hub: FakeHub;
let environment: Record<string, string>;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "push-cli-"));
  await writePublishedFolder(path.join(root, "mine"));
});

afterAll(() => rm(root, { recursive: true }));

beforeEach(async () => {
  hub = await openFakeHub();
  environment = { HF_ENDPOINT: hub.endpoint, HF_HOME: path.join(root, "home"), HF_TOKEN: "right", HF_HUB_OFFLINE: "0" };
  return hub.close;
});

const start = (words: string[], changes: Record<string, string> = {}) => startOwn("src/cli/main.ts", words, { cwd: root, env: { ...environment, ...changes } });
const lectern = (words: string[], changes: Record<string, string> = {}) => start(words, changes).ended;

test("what is pushed can be pulled, and is not sent again", { timeout: 60_000 }, async () => {
  const pushed = await lectern(["push", "mine", "org/mine", "--message", "the first"]);
  expect(pushed).toMatchObject({ code: 0 });
  const { commit } = hub.repositories["models/org/mine"].revisions["main"];
  expect(pushed.stdout).toBe(`org/mine (private, new): 8 of 8 files differed; 0.2 MB sent; commit ${commit.slice(0, 7)}\n${hub.endpoint}/org/mine\n`);
  expect(pushed.stderr).toMatch(/^paths of this machine are left out of README.md, config.json, recipe.yaml\nmodel.safetensors {2}0.2 MB\nonnx\/model.onnx {2}0.0 MB\nREADME.md/);
  expect(pushed.stdout + pushed.stderr).not.toContain("right");

  const pulled = await lectern(["pull", "org/mine"]);
  expect(pulled).toMatchObject({ code: 0 });
  const bytes = await readFile(path.join(pulled.stdout.trim(), "model.safetensors"));
  expect(bytes.equals(await readFile(path.join(root, "mine/model.safetensors")))).toBe(true);

  const again = await lectern(["push", "mine", "org/mine", "--json"]);
  expect(JSON.parse(again.stdout)).toMatchObject({ model: "org/mine", commit, created: false, private: true, changed: [], bytesSent: 0 });
  expect(again.stderr).toBe("");
});

test("--dry-run lists what would go, and asks nobody", async () => {
  const { code, stdout } = await lectern(["push", "mine", "org/mine", "--dry-run"], { HF_TOKEN: "" });
  expect(code).toBe(0);
  for (const name of publishedPaths) expect(stdout).toContain(`${name} `);
  expect(stdout).toMatch(/model\.safetensors +240,\d+ bytes {2}model\n/);
  expect(stdout).toMatch(/recipe\.yaml .* results, without the paths of this machine\n/);
  expect(stdout).toMatch(/stays here: \.env, .*checkpoint-10\/.*\n8 files, 0\.2 MB; nothing was sent\.\n$/);
  expect(hub.log).toEqual([]);
  expect((await lectern(["push", "mine", "/tmp/mine", "--dry-run"])).stderr).toMatch(/HUB_NAME/);
});

test("--private and --public exclude each other; --include names files that go, too", async () => {
  const both = await lectern(["push", "mine", "org/mine", "--private", "--public"]);
  expect(both).toMatchObject({ code: 1, stderr: expect.stringMatching(/USAGE[^]*--public[^]*--private/) as string });
  const { stdout } = await lectern(["push", "mine", "org/mine", "--private", "--include", "train.log", "--dry-run"]);
  expect(stdout).toMatch(/train\.log +2 bytes {2}asked for\n/);
});

test("killed in the middle it goes on: what was there whole is not sent again", { timeout: 60_000 }, async () => {
  const graph = sha256(await readFile(path.join(root, "mine/onnx/model.onnx")));
  const held = new Promise<void>((resolve) => {
    hub.trouble = [(request) => request.url === `/storage/${graph}` && (resolve(), true)]; // never answered
  });
  const running = start(["push", "mine", "org/mine"]);
  await held;
  running.process.kill("SIGKILL");
  expect((await running.ended).signal).toBe(process.platform === "win32" ? null : "SIGKILL");
  expect(Object.keys(hub.repositories["models/org/mine"].revisions["main"].files)).toEqual([".gitattributes"]);
  hub.log.length = 0;
  const again = await lectern(["push", "mine", "org/mine"]);
  expect(again.stderr).toContain("model.safetensors  0.2 MB, was there\n");
  expect(again.stdout).toMatch(/^org\/mine \(private\): 8 of 8 files differed; 0\.0 MB sent/);
  expect(hub.log.filter((line) => line.startsWith("PUT"))).toEqual([`PUT /storage/${graph}`]);
});

test.each([
  ["others/mine", "right", /HUB_FORBIDDEN[\s\S]*The owner of this token may not write into others\/mine\./],
  ["org/mine", "hf_secret", /HUB_UNAUTHORIZED[\s\S]*The hub does not accept the token\./],
])("a push to %s with the token %s is refused in a sentence", async (name, token, told) => {
  const { code, stdout, stderr } = await lectern(["push", "mine", name], { HF_TOKEN: token });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr.replaceAll(/\n */g, " ")).toMatch(told);
  expect(stderr).not.toContain("hf_secret");
});

const python = process.env["LECTERN_PEER_PYTHON"];
test.skipIf(!python)("Python's huggingface_hub downloads what was pushed (needs LECTERN_PEER_PYTHON)", { timeout: 60_000 }, async () => {
  await lectern(["push", "mine", "org/mine"]);
  const program = [
    "from huggingface_hub import HfApi, snapshot_download, ModelCard",
    'folder = snapshot_download("org/mine")',
    "import os; print(sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names))",
    'print(ModelCard.load("org/mine").data.datasets)',
  ].join("\n");
  const { stdout, stderr } = await startPython(python!, program, { cwd: root, env: { ...environment, HF_HOME: path.join(root, "python") } }).ended;
  expect(stdout, stderr).toContain("model.safetensors");
  expect(stdout).toContain("['rajpurkar/squad']");
});

test.skipIf(!python)("the pretended hub takes what Python's huggingface_hub sends, by the same checksums (needs LECTERN_PEER_PYTHON)", { timeout: 60_000 }, async () => {
  const program = [
    "from huggingface_hub import HfApi",
    'HfApi().create_repo("org/theirs", private=True)',
    'HfApi().upload_folder(repo_id="org/theirs", folder_path="mine", allow_patterns=["model.safetensors", "tokenizer.json", "onnx/*"])',
  ].join("\n");
  const env = { ...environment, HF_HOME: path.join(root, "python"), HF_HUB_DISABLE_XET: "1" };
  const { code, stderr } = await startPython(python!, program, { cwd: root, env }).ended;
  expect(code, stderr).toBe(0);
  const { stdout } = await lectern(["push", "mine", "org/theirs", "--json"]);
  const { created, changed } = JSON.parse(stdout) as { created: boolean; changed: string[] };
  expect(created).toBe(false);
  expect(changed).toEqual(publishedPaths.filter((name) => !["model.safetensors", "tokenizer.json", "onnx/model.onnx"].includes(name)));
});
