/** The guide from a spreadsheet to a served reader as it is written, from the reader of the quickstart: it learns, and answers. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { followGuide } from "./guide.js";

test("a reader that goes on learning from 28 questions answers 12 others better", async () => {
  let results: Record<string, number> = {};
  const { reply } = await followGuide({ serve: ["--port", "0"] }, async (folder) => {
    results = JSON.parse(await readFile(join(folder, "runs/library/all_results.json"), "utf8")) as Record<string, number>;
  });
  expect(results.f1).toBeGreaterThan(results.baseline_f1);
  expect(reply).toMatchObject({ status: 200, body: { answer: expect.stringContaining("four weeks") as string } });
});
