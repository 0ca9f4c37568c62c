import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterEach, beforeAll, beforeEach, afterAll, describe, expect, test } from "vitest";
import { compiledSources } from "../../test/compiled-sources.js";
import { recoverFolder, writeFileAtomic, writeFilesAtomic, writeFolderAtomic } from "./atomic.js";
import { openModelFolder } from "./model-folder.js";

let program: string;
let root: string;

beforeAll(async () => void (program = await mkdtemp(path.join(tmpdir(), "atomic-program-"))));
afterAll(() => rm(program, { recursive: true }));
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "atomic-"));
});
afterEach(() => rm(root, { recursive: true }));

/** Writes a script that imports the checkpoint folder, for processes that are killed, and gives the arguments that run it. */
function script(body: string): string[] {
  const file = path.join(program, `${Math.random().toString(36).slice(2)}.mjs`);
  const source = (name: string): string => JSON.stringify(pathToFileURL(path.join(compiledSources(), "src/checkpoint", name)).href);
  const imports = [
    `import { writeFileAtomic, writeFilesAtomic, writeFolderAtomic } from ${source("atomic.js")};`,
    `import { saveModelFolder, writeModelFiles } from ${source("model-folder.js")};`,
    'import { writeFileSync } from "node:fs";',
    "const [folder, version] = process.argv.slice(2);",
    'const filled = (value) => ["a", "b", "c"].map((name) => ({ name, dtype: "F32", shape: [40000], data: new Float32Array(40000).fill(value) }));',
    "const model = (value) => ({ config: { value }, tensors: filled(value), maxShardBytes: value % 2 ? 200000 : undefined });",
  ];
  writeFileSync(file, `${imports.join("\n")}\n${body}\n`);
  return [file];
}

/** The value that a saved model's config and all its tensors agree on. */
async function valueOf(folder: string): Promise<number> {
  const { config, weights } = await openModelFolder(folder);
  for (const name of ["a", "b", "c"]) expect(new Set(weights.readFloat32(name))).toEqual(new Set([config["value"]]));
  weights.close();
  return config["value"] as number;
}

describe("killed at any moment, a process leaves the previous model or the new one, whole", () => {
  const ways = {
    "a model saved into a run's folder": "await saveModelFolder(folder, model(value));",
    "a folder replaced": "await writeFolderAtomic(folder, async (temporary) => { await writeModelFiles(temporary, model(value)); });",
  };
  for (const [name, save] of Object.entries(ways)) {
    test(name, async () => {
      const folder = path.join(root, "model");
      const args = script(`for (let value = Number(version); ; value++) { ${save} process.stdout.write(value + "\\n"); }`);
      let saved = 0;
      for (let round = 0; round < 10; round++) {
        const child = spawn(process.execPath, [...args, folder, String(saved + 1)], { stdio: ["ignore", "pipe", "inherit"] });
        let output = "";
        child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
        while (!output.includes("\n")) await pause(5);
        await pause(Math.random() * 60);
        await killed(child);
        const printed = Number(output.trim().split("\n").at(-1));
        saved = await valueOf(folder);
        expect([printed, printed + 1]).toContain(saved); // the last that was said to be saved, or the one after
      }
      // The next writer clears what the killed ones left.
      spawnSync(process.execPath, [...script(`const value = 1000; ${save}`), folder]);
      expect(await valueOf(folder)).toBe(1000);
      expect(await readdir(root)).toEqual(["model"]);
      expect((await readdir(folder)).sort()).toEqual(["config.json", "model.safetensors"]);
    });
  }
});

async function killed(child: ChildProcess): Promise<void> {
  const closed = new Promise((resolve) => child.on("close", resolve));
  child.kill("SIGKILL");
  await closed;
}

describe("a kill between two steps is made good by the next reader", () => {
  test("a folder set aside comes back", async () => {
    await writeFolderAtomic(path.join(root, ".model.previous"), (temporary) => writeFile(path.join(temporary, "a"), "old"));
    await recoverFolder(path.join(root, "model"));
    expect(await readFile(path.join(root, "model", "a"), "utf8")).toBe("old");
    expect(await readdir(root)).toEqual(["model"]);
  });

  test("a folder set aside goes when its successor is in place", async () => {
    for (const name of ["model", ".model.previous"])
      await writeFolderAtomic(path.join(root, name), (temporary) => writeFile(path.join(temporary, "a"), name));
    await recoverFolder(path.join(root, "model"));
    expect(await readFile(path.join(root, "model", "a"), "utf8")).toBe("model");
    expect(await readdir(root)).toEqual(["model"]);
  });

  test("a commit that was begun is finished", async () => {
    await mkdir(path.join(root, ".lectern-commit"));
    await writeFile(path.join(root, "a"), "old");
    await writeFile(path.join(root, "b"), "old");
    await writeFile(path.join(root, ".lectern-commit", "a"), "new");
    await writeFile(path.join(root, ".lectern-commit", "b.obsolete"), "");
    await recoverFolder(root);
    expect(await readdir(root)).toEqual(["a"]);
    expect(await readFile(path.join(root, "a"), "utf8")).toBe("new");
  });
});

function mount(folder: string): boolean {
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "none", folder]).status === 0;
}

function canMount(): boolean {
  if (process.platform !== "linux") return false;
  const folder = mkdtempSync(path.join(tmpdir(), "atomic-mount-"));
  const mounted = mount(folder);
  if (mounted) spawnSync("umount", [folder]);
  rmSync(folder, { recursive: true });
  return mounted;
}

describe("a full disk is an error that says so, and leaves what was there", () => {
  /** Tries each way of writing more than fits, and prints the code of each error. */
  const attempts = `
    const big = new Uint8Array(4000000);
    const tries = [
      () => writeFileAtomic(folder + "/file", big),
      () => saveModelFolder(folder + "/model", { config: { value: 9 }, tensors: [{ name: "a", dtype: "U8", shape: [4000000], data: big }] }),
      () => saveModelFolder(folder + "/new", { config: { value: 9 }, tensors: [{ name: "a", dtype: "U8", shape: [4000000], data: big }] }),
      () => writeFolderAtomic(folder + "/model", async (temporary) => writeFileSync(temporary + "/a", big)),
      () => writeFilesAtomic(folder + "/model", async (temporary) => writeFileSync(temporary + "/a", big)),
    ];
    for (const attempt of tries) console.log(await attempt().then(() => "written", (error) => error.code));`;

  async function prepare(folder: string): Promise<void> {
    await writeFile(path.join(folder, "file"), "old");
    spawnSync(process.execPath, [...script("await saveModelFolder(folder, model(2));"), path.join(folder, "model")]);
  }

  async function check(folder: string, output: string): Promise<void> {
    expect(output.trim().split("\n")).toEqual(Array.from({ length: 5 }, () => "DISK_FULL"));
    expect(await readFile(path.join(folder, "file"), "utf8")).toBe("old");
    expect(await valueOf(path.join(folder, "model"))).toBe(2);
    expect((await readdir(folder)).sort()).toEqual(["file", "model"]);
    expect((await readdir(path.join(folder, "model"))).sort()).toEqual(["config.json", "model.safetensors"]);
  }

  test.skipIf(process.platform === "win32")("a limit on the size of files (needs a POSIX shell)", async () => {
    await prepare(root);
    const args = [...script(attempts), root].map((word) => `'${word}'`).join(" ");
    const child = spawnSync("bash", ["-c", `ulimit -f 1000; exec '${process.execPath}' ${args}`], { encoding: "utf8" });
    await check(root, child.stdout);
  });

  test.skipIf(!canMount())("a small disk (needs the right to mount one)", async () => {
    const disk = path.join(root, "disk");
    mkdirSync(disk);
    mount(disk);
    try {
      await prepare(disk);
      await check(disk, spawnSync(process.execPath, [...script(attempts), disk], { encoding: "utf8" }).stdout);
    } finally {
      spawnSync("umount", [disk]);
    }
  });
});

describe("writing", () => {
  test("a file appears with its folders, and replaces the one before", async () => {
    const file = path.join(root, "deep", "er", "state.json");
    await writeFileAtomic(file, "one");
    await writeFileAtomic(file, Buffer.from("two"));
    expect(await readFile(file, "utf8")).toBe("two");
    expect(await readdir(path.dirname(file))).toEqual(["state.json"]);
  });

  test("what the filling throws comes out, and nothing is left", async () => {
    const failing = (): Promise<void> => Promise.reject(new Error("no"));
    await expect(writeFolderAtomic(path.join(root, "a"), failing)).rejects.toThrow("no");
    await expect(writeFilesAtomic(root, failing)).rejects.toThrow("no");
    expect(await readdir(root)).toEqual([]);
  });

  test("the files of a writer still at work are left alone", async () => {
    await Promise.all([1, 2, 3].map((i) => writeFileAtomic(path.join(root, "state.json"), String(i).repeat(100_000))));
    expect(await readFile(path.join(root, "state.json"), "utf8")).toMatch(/^(1+|2+|3+)$/);
    expect(await readdir(root)).toEqual(["state.json"]);
  });

  test("where a file stands in the way of a folder is a clear error", async () => {
    await writeFile(path.join(root, "a"), "");
    await expect(writeFileAtomic(path.join(root, "a", "b"), "")).rejects.toMatchObject({ code: "FILE_NOT_WRITABLE" });
    await expect(writeFolderAtomic(path.join(root, "a", "b"), async () => undefined)).rejects.toMatchObject({ code: "FILE_NOT_WRITABLE" });
  });
});
