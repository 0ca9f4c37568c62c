/** The example in docs/engine.md runs as it stands there. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startTypeScript } from "../../test/process.js";

test("the first example of docs/engine.md", async () => {
  const page = readFileSync(new URL("../../docs/engine.md", import.meta.url), "utf8");
  const example = /```ts\n(import .*?)```/s
    .exec(page)![1]
    .replace('"lectern/engine"', JSON.stringify(new URL("index.ts", import.meta.url).href));
  const folder = mkdtempSync(join(tmpdir(), "lectern-documentation-"));
  try {
    writeFileSync(join(folder, "example.mts"), `${example}\nconsole.log("done");`);
    expect(await startTypeScript(join(folder, "example.mts"), [], { cwd: folder }).ended).toEqual({
      code: 0,
      signal: null,
      stdout: "done\n",
      stderr: "",
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
