import { expect, test } from "vitest";
import { matchesGlob } from "./path-glob.js";

test.each([
  ["data/train-*", "data/train-00000-of-00002.parquet", true],
  ["data/train-*", "data/deep/train-0.parquet", false],
  ["data/*/train.csv", "data/a/train.csv", true],
  ["**/train.csv", "train.csv", true],
  ["**/train.csv", "a/b/train.csv", true],
  ["**/train.csv", "subtrain.csv", false],
  ["a/**", "a/b/c", true],
  ["x?.json", "x1.json", true],
  ["x?.json", "x/.json", false],
  ["x[0-9a].json", "x7.json", true],
  ["x[!0-9].json", "x7.json", false],
  ["{train,dev}/*.{csv,tsv}", "dev/a.tsv", true],
  ["{train,dev}/*.{csv,tsv}", "test/a.tsv", false],
  ["a+(b)", "a+(b)", true],
])("%s on %s: %s", (pattern, path, expected) => expect(matchesGlob(pattern, path)).toBe(expected));

test("a hostile pattern takes no long time", () => {
  const start = performance.now();
  expect(matchesGlob(`${"*a".repeat(500)}b`, "a".repeat(500))).toBe(false);
  matchesGlob("{a,b}".repeat(200), "ab");
  expect(performance.now() - start).toBeLessThan(2000);
});
