/** Checkpoints as they are met: bare encoders, old names of norms, heads of other tasks. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { openSafetensors, writeSafetensors } from "../checkpoint/safetensors.js";
import { createParameterStore, type ParameterDeclaration } from "../engine/index.js";
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
    const { unused, values } = await load({ "embeddings.LayerNorm.gamma": [4], "bert.embeddings.LayerNorm.weight": [4] });
    expect(values("bert.embeddings.LayerNorm.weight")[0]).toBe(2);
    expect(unused).toEqual(["embeddings.LayerNorm.gamma"]);
  });
});

describe("what a checkpoint lacks", () => {
  test("is drawn from the seed with the declared deviation, norms are ones and biases zeros", async () => {
    const { values } = await load({});
    const weights = values("qa_outputs.weight");
    const mean = weights.reduce((sum, value) => sum + value, 0) / weights.length;
    const deviation = Math.sqrt(weights.reduce((sum, value) => sum + (value - mean) ** 2, 0) / weights.length);
    expect(Math.abs(mean)).toBeLessThan(0.002);
    expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(0.08);
    expect([...values("bert.embeddings.LayerNorm.weight"), ...values("qa_outputs.bias")]).toEqual([1, 1, 1, 1, 0, 0]);
  });

  test("is the same for a seed, whatever else is missing, and differs between seeds and parameters", async () => {
    const [whole, part, other] = [
      await load({}),
      await load({ "bert.embeddings.word_embeddings.weight": encoder.word }),
      await load({}, 1),
    ];
    const head = ({ values }: typeof whole) => [...values("qa_outputs.weight")];
    expect(head(part)).toEqual(head(whole));
    expect(head(other)).not.toEqual(head(whole));
    expect(whole.values("bert.embeddings.word_embeddings.weight").slice(0, 2000)).not.toEqual(whole.values("qa_outputs.weight"));
  });
});

test("a tensor of another shape is refused with both shapes", async () => {
  await expect(load({ "qa_outputs.bias": [3] })).rejects.toMatchObject({
    code: "WEIGHT_SHAPE_MISMATCH",
    detail: { expected: "shape [2]", received: "shape [3]" },
  });
});
