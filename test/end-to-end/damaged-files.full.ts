/** Files of every kind, with bytes changed as disks, copies and people of ill will change them: read, or refused by name; nothing crashes or hangs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startTypeScript } from "../process.js";

test("whatever is changed in a file, reading it ends well or with an error that names it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lectern-damaged-"));
  const { code, signal, stdout, stderr } = await startTypeScript("test/file-mutations.ts", [join(folder, "files"), "1", "330"], {
    cwd: folder,
  }).ended;
  await rm(folder, { recursive: true });
  expect({ code, signal, end: /^all \d+$/m.exec(stdout)?.[0] ?? stdout + stderr }).toEqual({ code: 0, signal: null, end: "all 6270" });
});
