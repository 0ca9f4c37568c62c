import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkWritable, makeFolder } from "./make-folder.js";

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), "make-folder-"));
  writeFileSync(path.join(root, "file"), "");
});
afterAll(() => rmSync(root, { recursive: true }));

const refused = expect.objectContaining({ code: "FILE_NOT_WRITABLE" }) as Error;

test("a folder is made with those above it, and may be there", async () => {
  const folder = path.join(root, "a", "b");
  for (let time = 0; time < 2; time++) await makeFolder(folder);
  expect(existsSync(folder)).toBe(true);
});

test("a folder that could be made is not made by asking", async () => {
  await checkWritable(path.join(root, "c", "d"));
  await checkWritable(root);
  expect(existsSync(path.join(root, "c"))).toBe(false);
});

test("no folder is in a file, or in its place", async () => {
  for (const name of ["file", "file/a", "file/a/b"]) {
    await expect(checkWritable(path.join(root, name))).rejects.toThrow(refused);
    await expect(makeFolder(path.join(root, name))).rejects.toThrow(refused);
  }
});

test.runIf(process.platform === "linux")("a folder that takes no new names is told, not asked for ever", async () => {
  for (const name of ["/proc/lectern", "/proc/lectern/a/b"]) await expect(makeFolder(name)).rejects.toThrow(refused);
});

test("a folder that several make at once is made", async () => {
  const folder = path.join(root, "e", "f", "g");
  await Promise.all(Array.from({ length: 20 }, () => makeFolder(folder)));
  expect(existsSync(folder)).toBe(true);
});
