/**
 * A package that depends on Lectern as npm would publish it: examples/extend.ts and examples/own-parts.ts, compiled in strict mode against the
 * published types, run as a program, and imported by the verbs.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder: string;
let user: string;
const inUser = (...path: string[]): string => join(user, ...path);
/** Runs a program of Node in the package's folder, where the starter model lies; what it printed, or all it said where it failed. */
function node(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: inUser("node_modules/lectern"), encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${words.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
}
const lectern = (...words: string[]): string => node("bin/lectern.js", ...words);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lectern-package-"));
  user = join(folder, "a package of a user");
  mkdirSync(inUser("node_modules"), { recursive: true });
  const npm = (...words: string[]): string =>
    execFileSync("npm", words, { encoding: "utf8", stdio: "pipe", shell: process.platform === "win32" });
  if (!existsSync("dist/index.js")) npm("run", "build");
  npm("pack", "--ignore-scripts", "--pack-destination", folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
  execFileSync("tar", ["-xzf", join(folder, tarball), "-C", inUser("node_modules")]); // as `package`
  symlinkSync(inUser("node_modules/package"), inUser("node_modules/lectern"), "junction");
  for (const name of readdirSync("node_modules")) {
    if (!name.startsWith(".")) symlinkSync(resolve("node_modules", name), inUser("node_modules", name), "junction");
  }
  for (const name of ["extend.ts", "own-parts.ts"]) copyFileSync(join("examples", name), inUser(name));
  writeFileSync(inUser("package.json"), JSON.stringify({ name: "of-a-user", type: "module", dependencies: { lectern: "*", zod: "*" } }));
  const compilerOptions = { strict: true, module: "NodeNext", target: "ES2022", outDir: "dist", declaration: true, types: ["node"] };
  writeFileSync(inUser("tsconfig.json"), JSON.stringify({ compilerOptions, files: ["extend.ts"] }));
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("its sources compile in strict mode against the published types", () => {
  node(resolve("node_modules/typescript/bin/tsc"), "-p", user);
  expect(readdirSync(inUser("dist"))).toContain("extend.js");
});

test("its program trains a model, with an op and a metric, that are all its own", () => {
  expect(node(inUser("dist/extend.js"), inUser("runs"))).toMatch(/^\d+% begin right before, \d+% after; F1 \d+\nthe boat is [a-z]+\n$/);
  expect(JSON.parse(readFileSync(inUser("runs/run/config.json"), "utf8"))).toMatchObject({ model_type: "softplus-encoder" });
});

test("the verbs import its module: evaluate, and export with the op in standard operators", () => {
  const own = ["--model", inUser("runs/run"), "--import", inUser("dist/own-parts.js")];
  const windows = ["--max-length", "64", "--stride", "16", "--max-samples", "4"];
  const figures = JSON.parse(lectern("evaluate", ...own, "--data", "starter/squad/dev.json", ...windows, "--json")) as Record<
    string,
    number
  >;
  expect(figures).toMatchObject({ begins_right: expect.any(Number) as number, eval_samples: 4 });
  lectern("export", ...own, "--to", inUser("exported"), "--format", "onnx");
  expect(readFileSync(inUser("exported/onnx/model.onnx")).includes("Softplus")).toBe(true);
  const asked = lectern(
    "ask",
    "--model",
    inUser("exported"),
    "--import",
    inUser("dist/own-parts.js"),
    "--context",
    "NOTICE",
    "Which data?",
    "--json",
  );
  expect(JSON.parse(asked)).toMatchObject({ answer: expect.any(String) as string });
});
