/**
 * The project's TypeScript as JavaScript, for tests that start processes: made once for a state of the sources and kept beside the
 * packages. Starting from it takes a third of the time that a loader takes, and needs no build.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type TypeScript from "typescript";

const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(root, "node_modules/.cache/lectern-tests");
/** A copy of sources that are gone is kept this long, in milliseconds: another run of the tests may still start from it. */
const keptFor = 3_600_000;

let made: string | undefined;

/** A folder like the project's root, with src/ and test/ in JavaScript, and the files of pages beside them. */
export function compiledSources(): string {
  return (made ??= find());
}

function find(): string {
  const files = ["src", "test"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /(?<!\.(test|full))\.(ts|html|css|svg)$/.test(name))
      .map((name) => join(folder, name)),
  );
  const state = createHash("sha256");
  for (const file of files.sort()) {
    const { mtimeMs, size } = statSync(join(root, file));
    state.update(`${file} ${mtimeMs} ${size}\n`);
  }
  const folder = join(cache, state.digest("hex").slice(0, 16));
  if (!existsSync(folder)) make(folder, files);
  return folder;
}

function make(folder: string, files: readonly string[]): void {
  const { transpileModule, ModuleKind, ScriptTarget } = createRequire(import.meta.url)("typescript") as typeof TypeScript;
  const temporary = `${folder}.${process.pid}`;
  for (const file of files.filter((name) => !name.endsWith(".ts"))) {
    mkdirSync(dirname(join(temporary, file)), { recursive: true });
    copyFileSync(join(root, file), join(temporary, file));
  }
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    const { outputText } = transpileModule(readFileSync(join(root, file), "utf8"), {
      compilerOptions: { module: ModuleKind.ESNext, target: ScriptTarget.ES2022, verbatimModuleSyntax: true },
    });
    const to = join(temporary, file.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, outputText);
  }
  copyFileSync(join(root, "package.json"), join(temporary, "package.json"));
  for (const name of ["recipes", "starter"]) symlinkSync(join(root, name), join(temporary, name), "junction");
  for (const name of readdirSync(cache)) {
    const other = join(cache, name);
    if (Date.now() - statSync(other).mtimeMs > keptFor) rmSync(other, { recursive: true, force: true });
  }
  try {
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // else another process was faster
  }
}
