/** Folders of models that nobody has trained: whole, decided by the seed, refused where they do not fit. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { starter } from "../../../test/tiny-reader.js";
import { type FreshReaderOptions, writeFreshReader } from "./fresh-reader.js";
import { openReader } from "./reader.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-fresh-"))));
afterAll(() => rm(folder, { recursive: true }));

const config = {
  model_type: "bert",
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 64,
};
const options: FreshReaderOptions = { config, tokenizer: join(starter, "minilm-l6") };
const weights = (name: string) => readFile(join(folder, name, "model.safetensors"));

test("a fresh reader has all its weights, a tokenizer, and a config that names its class", async () => {
  await writeFreshReader(join(folder, "models/small"), options);
  const reader = await openReader(testRuntime(), join(folder, "models/small"), { seed: 0, maskPadding: true });
  expect(reader.loaded).toEqual({ missing: [], unused: [], wrappers: [] });
  expect(reader.config).toMatchObject({ ...config, architectures: ["BertForQuestionAnswering"] });
  const values = reader.store.parameters.get("bert.encoder.layer.0.attention.self.query.weight")!.tensor.data as Float32Array;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  expect(deviation).toBeGreaterThan(0.015);
  expect(deviation).toBeLessThan(0.025); // initializer_range is 0.02
});

test("its weights follow from the seed", async () => {
  for (const [name, seed] of [
    ["a", 7],
    ["b", 7],
    ["c", 8],
  ] as const)
    await writeFreshReader(join(folder, name), { ...options, seed });
  expect((await weights("a")).equals(await weights("b"))).toBe(true);
  expect((await weights("a")).equals(await weights("c"))).toBe(false);
});

test("a folder in use, a config of no model, and a tokenizer that is too large are refused", async () => {
  await writeFreshReader(join(folder, "used"), options);
  await expect(writeFreshReader(join(folder, "used"), options)).rejects.toMatchObject({ code: "FOLDER_NOT_EMPTY" });
  const refused = (other: Record<string, unknown>) =>
    writeFreshReader(join(folder, "new"), { ...options, config: { ...config, ...other } });
  await expect(refused({ model_type: "nothing" })).rejects.toMatchObject({ code: "UNKNOWN_MODEL_TYPE" });
  await expect(refused({ num_attention_heads: 3 })).rejects.toMatchObject({ code: "BAD_MODEL_CONFIG" });
  await expect(refused({ vocab_size: 100 })).rejects.toMatchObject({ code: "VOCABULARY_MISMATCH" });
});
