import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startTypeScript } from "../../test/process.js";
import { holdFolder } from "./folder-lock.js";

const folder = mkdtempSync(join(tmpdir(), "lectern-lock-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a second holder is refused, a third is not after the first has let go", async () => {
  const first = holdFolder(folder, "a test");
  expect(() => holdFolder(folder, "another")).toThrow(/in use[^]*a test by process \d+/);
  first.release();
  holdFolder(folder, "another").release();
  expect(await readdir(folder)).toEqual([]);
});

test("a killed process holds nothing", async () => {
  const script = join(tmpdir(), `hold-${process.pid}.mts`);
  const source = new URL("folder-lock.ts", import.meta.url).href;
  writeFileSync(script, `import { holdFolder } from ${JSON.stringify(source)};\nholdFolder(${JSON.stringify(folder)}, "a process");\nconsole.log("held");\nsetInterval(() => {}, 1000);`);
  const holder = startTypeScript(script, [], { cwd: folder });
  await holder.printed("held");
  expect(() => holdFolder(folder, "a test")).toThrow(new RegExp(`a process by process ${holder.process.pid} on `));
  holder.process.kill("SIGKILL");
  await holder.ended;
  rmSync(script);
  holdFolder(folder, "a test").release();
});

test("a folder that cannot be written is told", () => {
  expect(() => holdFolder(join(folder, "missing"), "a test")).toThrow(/Cannot write/);
});
