/** Checkpoints as they are met: bare encoders, old names of norms, heads of other tasks. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { openSafetensors, writeSafetensors } from "../checkpoint/safetensors.js";
import { createParameterStore, networkParameters, type ParameterDeclaration } from "../engine/index.js";
import { buildModel, models } from "./index.js";
import { matchWeights } from "./weight-names.js";
import { checkWeights, loadWeights } from "./weights.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-weights-"))));
afterAll(() => rm(folder, { recursive: true }));

const declare = (shape: number[], kind: "zeros" | "ones" | "normal"): ParameterDeclaration => ({
  shape,
  initialise: kind === "normal" ? { kind, deviation: 0.02 } : { kind },
  decay: false,
});
const declarations = new Map([
  ["bert.embeddings.word_embeddings.weight", declare([50, 40], "normal")],
  ["bert.embeddings.LayerNorm.weight", declare([4], "ones")],
  ["bert.embeddings.LayerNorm.bias", declare([4], "zeros")],
  ["qa_outputs.weight", declare([2, 1000], "normal")],
  ["qa_outputs.bias", declare([2], "zeros")],
]);
const newStore = () => createParameterStore(testRuntime(), declarations, () => false);

let files = 0;
/** Loads a checkpoint of these tensors, each filled with its place in the list. */
async function load(tensors: Record<string, number[]>, seed = 0) {
  const file = join(folder, `${files++}.safetensors`);
  await writeSafetensors(
    file,
    Object.entries(tensors).map(([name, shape], index) => ({
      name,
      dtype: "F32",
      shape,
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(index + 1),
    })),
  );
  const store = newStore();
  const source = openSafetensors(file);
  try {
    const names = checkWeights(declarations, source, "bert.");
    loadWeights(store, source, { prefix: "bert.", seed });
    return { ...names, values: (name: string) => store.parameters.get(name)!.tensor.data as Float32Array };
  } finally {
    source.close();
  }
}

const encoder = { word: [50, 40], weight: [4], bias: [4] };

describe("names", () => {
  test("of a bare encoder lack the model's prefix", async () => {
    const { missing, unused, values } = await load({
      "embeddings.word_embeddings.weight": encoder.word,
      "embeddings.LayerNorm.weight": encoder.weight,
      "embeddings.LayerNorm.bias": encoder.bias,
      "pooler.dense.weight": [4, 4],
    });
    expect(missing).toEqual(["qa_outputs.weight", "qa_outputs.bias"]);
    expect(unused).toEqual(["pooler.dense.weight"]);
    expect(values("bert.embeddings.LayerNorm.bias")[0]).toBe(3);
  });

  test.each(["bert.", ""])("of a norm were gamma and beta, prefix %j", async (prefix) => {
    const { missing, unused, values } = await load({
      [`${prefix}embeddings.word_embeddings.weight`]: encoder.word,
      [`${prefix}embeddings.LayerNorm.gamma`]: encoder.weight,
      [`${prefix}embeddings.LayerNorm.beta`]: encoder.bias,
      "qa_outputs.weight": [2, 1000],
      "qa_outputs.bias": [2],
    });
    expect([missing, unused]).toEqual([[], []]);
    expect([values("bert.embeddings.LayerNorm.weight")[0], values("bert.embeddings.LayerNorm.bias")[0]]).toEqual([2, 3]);
  });

  test("of which both spellings are there: the model's own wins, the other is unused", async () => {
    const { unused, values } = await load({ "embeddings.LayerNorm.gamma": [4], ...bare, "bert.embeddings.LayerNorm.weight": [4] });
    expect(values("bert.embeddings.LayerNorm.weight")[0]).toBe(5);
    expect(unused).toEqual(["embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"]);
  });
});

const bare = { "embeddings.word_embeddings.weight": encoder.word, "embeddings.LayerNorm.weight": [4], "embeddings.LayerNorm.bias": [4] };
const head = { "qa_outputs.weight": [2, 1000], "qa_outputs.bias": [2] };
const under = (path: string, tensors: Record<string, number[]>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, shape]) => [path + name, shape]));

describe("a wrapper's path", () => {
  test.each([
    ["module.", { ...under("module.bert.", bare), ...under("module.", head) }, ["module."]],
    ["_orig_mod.module.", { ...under("_orig_mod.module.bert.", bare), ...under("_orig_mod.module.", head) }, ["_orig_mod.module."]],
    ["that of an attribute, around the bare encoder", { ...under("reader.", bare), ...head }, ["reader."]],
    [
      "a wrapper's, around a bare encoder and its head",
      { ...under("model.encoder.", bare), ...under("model.", head) },
      ["model.encoder.", "model."],
    ],
    ["inside the architecture's", { ...under("bert._orig_mod.", bare), ...head }, ["bert._orig_mod."]],
    ["of a head alone", { ...under("bert.", bare), ...under("span.", head) }, ["span."]],
    [
      "of old names",
      {
        "m.bert.embeddings.word_embeddings.weight": encoder.word,
        ...under("m.bert.embeddings.LayerNorm.", { gamma: [4], beta: [4] }),
        ...under("m.", head),
      },
      ["m."],
    ],
  ])("%s is taken off and told", async (_, tensors, wrappers) => {
    const loaded = await load(tensors);
    expect(loaded).toMatchObject({ missing: [], unused: [], wrappers });
    expect([...declarations.keys()].map((name) => loaded.values(name)[0])).toEqual([1, 2, 3, 4, 5]);
  });

  test("is not looked for where the usual names are there: a copy under a path is unused", async () => {
    const { unused, wrappers } = await load({
      ...under("average.bert.", bare),
      ...under("bert.", bare),
      ...under("average.", head),
      ...head,
    });
    expect(wrappers).toEqual([]);
    expect(unused).toEqual(Object.keys({ ...under("average.bert.", bare), ...under("average.", head) }).sort());
  });

  test("is not chosen between two of them", async () => {
    const twice = { ...under("student.bert.", bare), ...under("teacher.bert.", bare) };
    await expect(load(twice)).rejects.toMatchObject({
      code: "WEIGHTS_UNMATCHED",
      detail: { received: "one under each of student.bert., teacher.bert." },
    });
  });
});

/** `model.` is a wrapper's name in other checkpoints, and ModernBERT's own. */
describe("the path of ModernBERT", () => {
  const { network, head, prefix } = buildModel({ model_type: "modernbert", ...models.find(({ type }) => type === "modernbert")!.tiny });
  const names = [...networkParameters({ inputs: network.inputs, calls: [...network.calls, ...head.calls] }).keys()];
  const bareName = (name: string) => (name.startsWith(prefix) ? name.slice(prefix.length) : name);

  test.each([
    ["its own", (name: string) => name, []],
    ["of the bare encoder", bareName, []],
    ["a wrapper's of the same name", (name: string) => `model.${name}`, ["model."]],
    ["DataParallel's", (name: string) => `module.${name}`, ["module."]],
  ])("%s", (_, rename, wrappers) => {
    const found = matchWeights(names, names.map(rename), prefix);
    expect(found.wrappers).toEqual(wrappers);
    expect([...found.tensors]).toEqual(names.map((name) => [name, rename(name)]));
  });
});

describe("a checkpoint is refused", () => {
  const refused = (message: string, received: string) => ({
    code: "WEIGHTS_UNMATCHED",
    detail: { message: expect.stringContaining(message) as string, received },
  });

  test("of which nothing belongs to the encoder, with the names of both sides", async () => {
    await expect(load({ "transformer.h.0.attn.weight": [3], ...head })).rejects.toMatchObject({
      ...refused("holds no weight of the encoder", "qa_outputs.weight, qa_outputs.bias, transformer.h.0.attn.weight"),
      detail: { expected: "bert.embeddings.word_embeddings.weight, bert.embeddings.LayerNorm.weight, bert.embeddings.LayerNorm.bias" },
    });
    await expect(load({})).rejects.toMatchObject(refused("holds no weight of the encoder", "no tensors"));
  });

  test("of which a part of the encoder is missing", async () => {
    const { "embeddings.LayerNorm.bias": _, ...most } = bare;
    await expect(load(under("module.bert.", most))).rejects.toMatchObject({
      code: "WEIGHTS_UNMATCHED",
      detail: {
        message: "The checkpoint lacks 1 of the 3 weights of the encoder that config.json describes.",
        expected: "bert.embeddings.LayerNorm.bias",
      },
    });
  });

  test("that is of an architecture with the same names", async () => {
    const error = { code: "WEIGHTS_UNMATCHED", detail: { next: expect.stringContaining("of type roberta") as string } };
    await expect(load({ ...under("roberta.", bare), ...head })).rejects.toMatchObject(error);
    await expect(load({ ...under("module.roberta.", bare), ...head })).rejects.toMatchObject(error);
  });

  test("only where it is due: names with many levels, or that look like others', are just unused", async () => {
    const odd = { [`${"a.".repeat(100_000)}b`]: [1], "...": [1], __proto__x: [1], "": [1] };
    expect((await load({ ...under("bert.", bare), ...head, ...odd })).unused).toHaveLength(4);
  });
});

describe("the head that a checkpoint lacks", () => {
  test("is drawn from the seed with the declared deviation, biases are zeros", async () => {
    const { values } = await load(bare);
    const weights = values("qa_outputs.weight");
    const mean = weights.reduce((sum, value) => sum + value, 0) / weights.length;
    const deviation = Math.sqrt(weights.reduce((sum, value) => sum + (value - mean) ** 2, 0) / weights.length);
    expect(Math.abs(mean)).toBeLessThan(0.002);
    expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(0.08);
    expect([...values("qa_outputs.bias")]).toEqual([0, 0]);
  });

  test("is the same for a seed, whatever else is missing, and differs between seeds", async () => {
    const [whole, part, other] = [await load(bare), await load({ ...bare, "qa_outputs.bias": [2] }), await load(bare, 1)];
    const weights = ({ values }: typeof whole) => [...values("qa_outputs.weight")];
    expect(weights(part)).toEqual(weights(whole));
    expect(weights(other)).not.toEqual(weights(whole));
  });
});

test("a tensor of another shape is refused with both shapes", async () => {
  await expect(load({ ...bare, "qa_outputs.bias": [3] })).rejects.toMatchObject({
    code: "WEIGHT_SHAPE_MISMATCH",
    detail: { expected: "shape [2]", received: "shape [3]" },
  });
});
