/** The programs in docs/programs.md and docs/extending.md run as they stand there: every block that begins with its imports. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startTypeScript } from "./process.js";

const folder = mkdtempSync(join(tmpdir(), "lectern-programs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const entries: Record<string, string> = {
  lectern: "src/index.ts",
  "lectern/engine": "src/engine/index.ts",
  "lectern/models": "src/models/index.ts",
  "lectern/serve": "src/serve/index.ts",
};
const urlOf = (entry: string): string => new URL(`../${entries[entry]}`, import.meta.url).href;

const programs = ["programs.md", "extending.md"].flatMap((page) =>
  [...readFileSync(`docs/${page}`, "utf8").matchAll(/```ts\n(import .*?)```/gs)].map(([, text], index) => ({
    page,
    title: `${page}, program ${index + 1}`,
    text,
  })),
);

test("there are some on each page", () => {
  for (const name of ["programs.md", "extending.md"]) expect(programs.filter(({ page }) => page === name).length).toBeGreaterThan(1);
});

test.each(programs)("$title", async ({ title, text }) => {
  const program = text
    .replace(/from "(lectern[\w/]*)"/g, (_, entry: string) => `from ${JSON.stringify(urlOf(entry))}`)
    .replaceAll("runs/quickstart", "starter/minilm-l6")
    .replaceAll(/\bruns\/\w+/g, (name) => join(folder, name).replaceAll("\\", "/"));
  const file = join(folder, `${title}.mts`);
  writeFileSync(file, `${program}\nconsole.log("done");`);
  const { code, stdout, stderr } = await startTypeScript(file, [], { cwd: process.cwd() }).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/done\n$/);
});
