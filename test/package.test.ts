/** What package.json and the lock file promise: Node 20.19, no registry, and entry points that exist. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  engines?: { node?: string };
  link?: boolean;
}
const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, Locked> };
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
  bin: Record<string, string>;
  files: string[];
  exports: Record<string, string | { types: string; default: string }>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const least = [20, 19, 0];

/** Whether Node 20.19.0 is in a range of the forms that `engines` uses: alternatives by ||, comparators ^ ~ >= > < <=, versions with gaps. */
function allowsLeast(range: string): boolean {
  const difference = (version: number[]): number => version.map((part, at) => least[at] - part).find((part) => part !== 0) ?? 0;
  const holds = (comparator: string): boolean => {
    const [, operator, text] = /^([\^~<>=]*)\s*v?([\d.x*]*)/.exec(comparator)!;
    const parts = text
      .split(".")
      .filter((part) => /^\d+$/.test(part))
      .map(Number);
    if (parts.length === 0) return true;
    const by = difference([...parts, 0, 0].slice(0, 3));
    if (operator === ">=") return by >= 0;
    if (operator === ">") return by > 0;
    if (operator === "<") return by < 0;
    if (operator === "<=") return by <= 0;
    const fixed = operator === "^" ? 1 : operator === "~" ? Math.min(2, parts.length) : parts.length;
    return by >= 0 && parts.slice(0, fixed).every((part, at) => part === least[at]);
  };
  return range.split("||").some((alternative) =>
    alternative
      .trim()
      .replace(/([<>=~^])\s+/g, "$1")
      .split(/\s+/)
      .every(holds),
  );
}

test.each([
  ["^20.19.0 || ^22.13.0 || >=24", true],
  ["^18.18.0 || ^20.9.0 || >=21.1.0", true],
  [">= 0.4", true],
  ["*", true],
  ["20 || >=22", true],
  [">=20.19.1", false],
  [">=22.12.0", false],
  ["^22.0.0 || >= 24", false],
  [">=12 <20", false],
])("a range %s allows Node 20.19.0: %s", (range, expected) => {
  expect(allowsLeast(range)).toBe(expected);
});

describe("package-lock.json", () => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== "");

  test("every package runs on Node 20.19.0", () => {
    const others = packages.filter(([, { engines }]) => engines?.node !== undefined && !allowsLeast(engines.node));
    expect(others.map(([path, { engines }]) => `${path} needs ${engines!.node}`)).toEqual([]);
  });

  test("names no registry, so that npm ci asks the one that is configured, and has a checksum of every package", () => {
    expect(packages.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
    expect(packages.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([]);
  });
});

describe("package.json", () => {
  test("has exact versions", () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test("its entry points have sources", () => {
    const built = [
      ...Object.values(manifest.bin),
      ...Object.values(manifest.exports).map((entry) => (typeof entry === "string" ? entry : entry.default)),
    ];
    const sources = built.map((path) => path.replace(/^(\.\/)?dist\/(.*)\.js$/, "src/$2.ts"));
    expect(sources.filter((path) => !existsSync(path))).toEqual([]);
  });

  test("the program says what to do in a clone that is not built yet, which npx may link before npm ci", () => {
    const clone = mkdtempSync(join(tmpdir(), "lectern-clone-"));
    try {
      cpSync("bin", join(clone, "bin"), { recursive: true });
      writeFileSync(join(clone, "package.json"), '{ "type": "module" }');
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(clone, manifest.bin.lectern), "--version"], { encoding: "utf8" });
      expect([status, stdout]).toEqual([1, ""]);
      expect(stderr).toContain("npm ci installs what it needs");
    } finally {
      rmSync(clone, { recursive: true });
    }
  });

  test("what it would publish exists", () => {
    const named = manifest.files.filter((path) => !path.startsWith("!") && path !== "dist");
    expect(named.filter((path) => !existsSync(path))).toEqual([]);
  });
});
