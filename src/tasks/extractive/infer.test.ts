/** Logits of many windows in batches: each at its place, whatever stands beside it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { starter, writeTinyReader } from "../../../test/tiny-reader.js";
import { loadExamples } from "../../data/examples.js";
import { type Feature, makeFeatures } from "./features.js";
import { inferSpans } from "./infer.js";
import { createReaderInference, openReader } from "./reader.js";

let folder: string;
let features: Feature[];
const open = () => openReader(testRuntime(), folder, { seed: 1, maskPadding: true });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-infer-"));
  await writeTinyReader(folder);
  const { examples } = await loadExamples(join(starter, "squad/dev.json"), { limit: 12 });
  const { tokenizer } = await open();
  features = (await makeFeatures(examples, tokenizer, { maxLength: 96, stride: 32, forTraining: false })).features;
});
afterAll(() => rm(folder, { recursive: true }));

describe("logits of many windows", () => {
  test("come back at each window's place, whatever the batches", async () => {
    const reader = await open();
    const program = await createReaderInference(testRuntime(), reader);
    const one = await inferSpans(reader, program, features, { batchSize: 1 });
    expect(one.logits.map(({ start }) => start.length)).toEqual(features.map(({ length }) => length));
    for (const settings of [{ batchSize: 5 }, { batchSize: 100 }, { batchSize: 4, padTo: 120 }]) {
      const { logits, loss } = await inferSpans(reader, program, features, settings);
      expect(loss).toBeCloseTo(one.loss, 4);
      logits.forEach(({ start, end }, index) => {
        expect(start).toHaveLength(features[index].length);
        start.forEach((value, at) => expect(value).toBeCloseTo(one.logits[index].start[at], 4));
        end.forEach((value, at) => expect(value).toBeCloseTo(one.logits[index].end[at], 4));
      });
    }
  });

  test("tell how far they are, and stop between two batches", async () => {
    const reader = await open();
    const program = await createReaderInference(testRuntime(), reader);
    const stop = new AbortController();
    const told: number[] = [];
    const onProgress = (done: number, total: number) => {
      told.push(done);
      expect(total).toBe(features.length);
      if (told.length === 2) stop.abort(new Error("enough"));
    };
    await expect(inferSpans(reader, program, features, { batchSize: 2, onProgress, signal: stop.signal })).rejects.toThrow("enough");
    expect(told.slice(0, 2)).toEqual([2, 4]);
    expect(told.length).toBeLessThanOrEqual(5); // the batches that were asked for meanwhile: two for each thread
  });

  test("of no windows are none", async () => {
    const reader = await open();
    expect(await inferSpans(reader, await createReaderInference(testRuntime(), reader), [], { batchSize: 4 })).toEqual({
      logits: [],
      loss: 0,
    });
  });
});
