/** Readers from folders and back, and what is refused. */
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { writeTinyReader } from "../../../test/tiny-reader.js";
import { torchCheckpoint } from "../../../test/torch-archive.js";
import { openSafetensors } from "../../checkpoint/safetensors.js";
import { models } from "../../models/index.js";
import { describeLoading, openReader, saveReader } from "./reader.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-reader-"));
  await writeTinyReader(join(folder, "tiny"));
});
afterAll(() => rm(folder, { recursive: true }));

const options = { seed: 1, maskPadding: true };
const open = (name: string) => openReader(testRuntime(), join(folder, name), options);

describe("a reader's folder", () => {
  test.each(models.map(({ type }) => type))("of type %s is written as it was read", async (type) => {
    const from = await writeTinyReader(join(folder, type), { type });
    const reader = await openReader(testRuntime(), from, options);
    expect(reader.loaded).toEqual({ missing: [], unused: [], wrappers: [] });
    await saveReader(join(folder, `${type} again`), reader);
    const again = await open(`${type} again`);
    expect(again.loaded).toEqual({ missing: [], unused: [], wrappers: [] });
    expect(again.config).toMatchObject({
      model_type: type,
      architectures: [models.find((model) => model.type === type)!.questionAnswering],
    });
    const saved = async (at: string, file: string) => readFile(join(folder, at, file));
    for (const file of ["model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
      expect((await saved(`${type} again`, file)).equals(await saved(type, file)), file).toBe(true);
    }
    for (const [name, { tensor }] of reader.store.parameters) {
      const bytes = (from: typeof tensor) => Buffer.from(from.data.buffer, from.data.byteOffset, from.data.byteLength);
      expect(bytes(again.store.parameters.get(name)!.tensor).equals(bytes(tensor)), name).toBe(true);
    }
  });

  test("whose weights PyTorch pickled, with DataParallel's names, is the same reader, and is saved as safetensors", async () => {
    const source = openSafetensors(join(folder, "tiny", "model.safetensors"));
    const tensors = source.names().map((name) => ({ name: `module.${name}`, ...source.info(name), data: source.readFloat32(name) }));
    source.close();
    await cp(join(folder, "tiny"), join(folder, "pickled"), { recursive: true });
    await rm(join(folder, "pickled/model.safetensors"));
    await writeFile(join(folder, "pickled/pytorch_model.bin"), torchCheckpoint(tensors));
    const reader = await open("pickled");
    expect(reader.loaded).toEqual({ missing: [], unused: [], wrappers: ["module."] });
    await saveReader(join(folder, "pickled again"), reader);
    const saved = (name: string) => readFile(join(folder, name, "model.safetensors"));
    expect((await saved("pickled again")).equals(await saved("tiny"))).toBe(true);
    expect(existsSync(join(folder, "pickled again/pytorch_model.bin"))).toBe(false);
  });

  test("without a head gets one from the seed, and both lists are told once", async () => {
    await writeTinyReader(join(folder, "bare"), {
      holds: (name) => name.startsWith("bert."),
      rename: (name) => name.slice("bert.".length).replace("LayerNorm.weight", "LayerNorm.gamma"),
    });
    const reader = await open("bare");
    expect(reader.loaded).toEqual({ missing: ["qa_outputs.weight", "qa_outputs.bias"], unused: [], wrappers: [] });
    expect(describeLoading("/models/bare", { ...reader.loaded, unused: ["cls.a", "cls.b", "cls.c", "cls.d", "cls.e"] })).toEqual([
      "not in bare, initialised from the seed: qa_outputs.weight, qa_outputs.bias",
      "in bare, not used by a reader: cls.a, cls.b, cls.c and 2 more",
    ]);
    expect(describeLoading("x", { missing: [], unused: [], wrappers: [] })).toEqual([]);
    expect(describeLoading("x", { missing: [], unused: [], wrappers: ["module."] })).toEqual([
      'names of weights in x begin with "module.": taken off',
    ]);
    const other = await openReader(testRuntime(), join(folder, "bare"), { ...options, seed: 2 });
    const head = (from: typeof reader) => from.store.parameters.get("qa_outputs.weight")!.tensor.data;
    expect(head(other)).not.toEqual(head(reader));
    expect(head(await open("bare"))).toEqual(head(reader));
  });
});

describe("what is refused", () => {
  test("a tokenizer with ids that the model has no embedding for", async () => {
    await writeTinyReader(join(folder, "small vocabulary"), { config: { vocab_size: 1000 } });
    await expect(open("small vocabulary")).rejects.toMatchObject({
      code: "VOCABULARY_MISMATCH",
      detail: { expected: expect.stringContaining("1000") as string, received: expect.stringContaining("30521") as string },
    });
  });

  test("a tokenizer with token types that the model has no embedding for", async () => {
    await writeTinyReader(join(folder, "one type"), { config: { type_vocab_size: 1 } });
    await expect(open("one type")).rejects.toMatchObject({
      code: "VOCABULARY_MISMATCH",
      detail: {
        expected: expect.stringContaining("type_vocab_size of 1") as string,
        received: expect.stringContaining("up to 1") as string,
      },
    });
  });

  test.each([
    ["cut short", async (file: string) => truncate(file, 100_000), "SAFETENSORS_CORRUPT"],
    ["empty", async (file: string) => truncate(file, 0), "SAFETENSORS_CORRUPT"],
    ["something else", async (file: string) => writeFile(file, "<html>404</html>"), "SAFETENSORS_CORRUPT"],
    ["missing", async (file: string) => rm(file), "MODEL_FOLDER_INCOMPLETE"],
  ])("weights that are %s", async (what, damage, code) => {
    const name = `weights ${what}`;
    await cp(join(folder, "tiny"), join(folder, name), { recursive: true });
    await damage(join(folder, name, "model.safetensors"));
    await expect(open(name)).rejects.toMatchObject({ code });
  });

  test.each([
    ["of an unknown model_type", { model_type: "longformer" }, "UNKNOWN_MODEL_TYPE"],
    ["with a wrong value", { model_type: "bert", hidden_size: "wide" }, "BAD_MODEL_CONFIG"],
    ["of another width than the weights", { hidden_size: 32 }, "WEIGHT_SHAPE_MISMATCH"],
  ])("a config.json %s", async (what, changed, code) => {
    const name = `config ${what}`;
    await cp(join(folder, "tiny"), join(folder, name), { recursive: true });
    const file = join(folder, name, "config.json");
    await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, "utf8")) as object), ...changed }));
    await expect(open(name)).rejects.toMatchObject({ code });
  });

  test("a folder without a tokenizer", async () => {
    await cp(join(folder, "tiny"), join(folder, "mute"), { recursive: true });
    await rm(join(folder, "mute/tokenizer.json"));
    await expect(open("mute")).rejects.toMatchObject({ code: "TOKENIZER_MISSING" });
  });
});
