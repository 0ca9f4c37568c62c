import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { candidates, countParameters, modelsTable, writeModelsTable } from "./models.js";

/** Millions of parameters as counted by PyTorch of the published encoders, without the poolers that readers lack. */
const published: Record<string, number> = {
  "nreimers/MiniLM-L6-H384-uncased": 22.6,
  "google/electra-small-discriminator": 13.5,
  "microsoft/MiniLM-L12-H384-uncased": 33.2,
  "google/mobilebert-uncased": 24.6,
  "distilbert-base-uncased": 66.4,
  "microsoft/deberta-v3-xsmall": 70.7,
  "microsoft/deberta-v3-small": 141.3,
  "bert-base-uncased": 108.9,
  "albert-base-v2": 11.1,
  "google/electra-base-discriminator": 108.9,
  "roberta-base": 124.1,
  "microsoft/mpnet-base": 108.9,
  "camembert-base": 110.0,
  "xlm-roberta-base": 277.5,
  "microsoft/deberta-v3-base": 183.8,
  "answerdotai/ModernBERT-base": 149.6,
};

test.each(candidates.map(({ name, config }) => [name, config] as const))("%s has as many parameters as the published one", (name, config) => {
  expect(countParameters(config) / 1e6).toBeCloseTo(published[name], 0);
});

test("the table takes its place in the document, and the rest stays", () => {
  const file = join(mkdtempSync(join(tmpdir(), "lectern-models-")), "a.md");
  const document = readFileSync(new URL("../docs/choosing-a-model.md", import.meta.url), "utf8");
  writeFileSync(file, document);
  const figures = { name: "a/b", parameters: 2e6, megabytes: 8, latency_median_ms: 3, latency_p99_ms: 4, questions_per_second: 5, squad2: 80, source: "e" as const };
  const table = modelsTable({ models: [figures] }, "2 cores");
  for (let time = 0; time < 2; time++) writeModelsTable(file, table);
  const written = readFileSync(file, "utf8");
  expect(written).toContain("| a/b | 2 | 8 | 3 | 4 | 5.0 |  | 80.0 [e] |");
  const withoutTable = (text: string): string => text.replace(/<!-- the table:[^]*the table's end -->/, "");
  expect(withoutTable(written)).toBe(withoutTable(document));
  rmSync(join(file, ".."), { recursive: true });
});
