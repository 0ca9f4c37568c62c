/** What every architecture must do: one walk over `models`. Their numbers are held to PyTorch's by the parity cases. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { openSafetensors, writeSafetensors } from "../checkpoint/safetensors.js";
import {
  createInferenceExecutor,
  createParameterStore,
  createTrainingExecutor,
  type HostArray,
  networkParameters,
  type ParameterStore,
} from "../engine/index.js";
import { randomGenerator } from "../engine/random.js";
import { readerNetwork } from "../tasks/extractive/head.js";
import type { Encoder } from "./define-model.js";
import { buildModel, models } from "./index.js";
import { checkWeights, loadWeights } from "./weights.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-models-"))));
afterAll(() => rm(folder, { recursive: true }));

const [batch, seq] = [3, 7];
const lengths = [7, 4, 2];

/** Rows of several lengths; `shift` changes what stands at padded places. */
function inputsFor(encoder: Encoder, shift = 0): Record<string, HostArray> {
  const random = randomGenerator(9);
  const at = <T>(value: (row: number, place: number) => T) =>
    Array.from({ length: batch * seq }, (_, index) => value(Math.floor(index / seq), index % seq));
  const ids = at((row, place) => (place < lengths[row] ? 5 + random.below(90) : encoder.padTokenId + shift));
  return {
    input_ids: BigInt64Array.from(ids, BigInt),
    attention_mask: BigInt64Array.from(at((row, place) => BigInt(place < lengths[row] ? 1 : 0))),
    ...(encoder.tokenTypes !== undefined && {
      token_type_ids: BigInt64Array.from(at((_, place) => BigInt(place > 2 && encoder.tokenTypes! > 1 ? 1 : 0))),
    }),
    start_positions: BigInt64Array.of(3n, 0n, 1n),
    end_positions: BigInt64Array.of(5n, 0n, 1n),
    start_weights: new Float32Array(batch).fill(0.5 / batch),
    end_weights: new Float32Array(batch).fill(0.5 / batch),
  };
}

function fillRandomly(store: ParameterStore): void {
  for (const [stream, { tensor }] of [...store.parameters.values()].entries()) {
    const random = randomGenerator(3, stream);
    (tensor.data as Float32Array).forEach((_, at, data) => (data[at] = 0.3 * random.normal()));
  }
}

describe.each(models.map((definition) => [definition.type, definition] as const))("%s", (type, definition) => {
  const config = { model_type: type, ...definition.tiny };
  const encoder = buildModel(config);
  // MobileBERT does not normalise: all that comes last is one linear function
  const lastBias =
    { distilbert: /layer\.1\.output_layer_norm\.bias$/, mobilebert: /layer\.1\.output\..*bias$/ }[type] ??
    /layer\.1\.output\.LayerNorm\.bias$/;
  const network = readerNetwork(encoder, { maskPadding: true });
  const open = (trained = false) => createParameterStore(testRuntime(), networkParameters(network), () => trained);

  test("maps tokens to hidden states of its width, and hides padding", async () => {
    // MobileBERT's trigrams let the last token read the id behind it, padding's
    const { network } = buildModel({ ...config, ...(type === "mobilebert" && { trigram_input: false }) });
    const store = createParameterStore(testRuntime(), networkParameters(network), () => false);
    fillRandomly(store);
    const program = await createInferenceExecutor(testRuntime(), network, store, [encoder.hidden]);
    const hidden = (await program.run({ batch, seq }, inputsFor(encoder)))[encoder.hidden];
    expect(hidden).toHaveLength(batch * seq * encoder.width);
    expect(hidden.every(Number.isFinite)).toBe(true);
    const others = (await program.run({ batch, seq }, inputsFor(encoder, 2)))[encoder.hidden];
    lengths.forEach((length, row) => {
      const real = (values: Float32Array) => values.slice(row * seq * encoder.width, (row * seq + length) * encoder.width);
      expect(real(others)).toEqual(real(hidden));
    });
    if (type !== "deberta-v2") expect(others).not.toEqual(hidden); // it sets what stands at padding to zero
  });

  test("every parameter gets a gradient, and all but biases and norms decay", async () => {
    const store = open(true);
    fillRandomly(store);
    const executor = await createTrainingExecutor(testRuntime(), network, store, { policy: "recompute", loss: "loss", seed: 1 });
    const { loss } = await executor.run({ bindings: { batch, seq }, inputs: inputsFor(encoder), samples: [0, 1, 2], step: 0 }, ["loss"]);
    expect(loss[0]).toBeGreaterThan(0);
    for (const { name, gradient, declaration } of store.parameters.values()) {
      const values = gradient!.data as Float32Array;
      expect(values.every(Number.isFinite), name).toBe(true);
      // 0 in exact arithmetic: a softmax does not see a constant, over keys or over positions
      const unseen = /(key|k_lin|attn\.k)\.bias$|^(qa_outputs|classifier)\.bias$/.test(name) || lastBias.test(name);
      if (!unseen) expect(Math.hypot(...values), name).toBeGreaterThan(1e-6);
      expect(declaration.decay, name).toBe(!/bias|norm/i.test(name));
    }
  });

  test("a recipe's dropout takes the place of the config's", async () => {
    const maskCount = async (overrides: { hidden?: number; attention?: number }) => {
      const own = readerNetwork(buildModel(config, overrides), { maskPadding: true });
      const store = createParameterStore(testRuntime(), networkParameters(own), () => true);
      fillRandomly(store);
      const executor = await createTrainingExecutor(testRuntime(), own, store, { policy: "keep", loss: "loss", seed: 1 });
      const losses = [];
      for (const step of [0, 1]) {
        const inputs = inputsFor(encoder);
        losses.push((await executor.run({ bindings: { batch, seq }, inputs, samples: [0, 1, 2], step }, ["loss"])).loss[0]);
      }
      return losses[0] === losses[1];
    };
    expect(await maskCount({ hidden: 0, attention: 0 })).toBe(true);
    expect(await maskCount({ hidden: 0 })).toBe(false);
    expect(await maskCount({ attention: 0 })).toBe(false);
  });

  test("with dropout too, samples give the same gradients together and one by one", async () => {
    const gradients = async (groups: number[][]) => {
      const store = open(true);
      fillRandomly(store);
      const executor = await createTrainingExecutor(testRuntime(), network, store, { policy: "recompute", loss: "loss", seed: 1 });
      const all = inputsFor(encoder);
      for (const samples of groups) {
        const inputs = Object.fromEntries(
          Object.entries(all).map(([name, values]) => {
            const width = values.length / batch;
            const parts = samples.map((row) => values.slice(row * width, (row + 1) * width));
            return [
              name,
              values instanceof BigInt64Array
                ? BigInt64Array.from(parts.flatMap((part) => [...(part as BigInt64Array)]))
                : Float32Array.from(parts.flatMap((part) => [...(part as Float32Array)])),
            ];
          }),
        );
        await executor.run({ bindings: { batch: samples.length, seq }, inputs, samples, step: 3 }, ["loss"]);
      }
      return new Map([...store.parameters.values()].map(({ name, gradient }) => [name, gradient!.data as Float32Array]));
    };
    const together = await gradients([[0, 1, 2]]);
    for (const [name, values] of await gradients([[2], [0, 1]])) {
      const difference = values.map((value, at) => value - together.get(name)![at]);
      expect(Math.hypot(...difference), name).toBeLessThan(1e-5 * Math.max(1, Math.hypot(...values)));
    }
  });

  test("saved and loaded it gives identical logits", async () => {
    const store = open();
    fillRandomly(store);
    const file = join(folder, `${type}.safetensors`);
    await writeSafetensors(
      file,
      [...store.parameters.values()].map(({ name, declaration, tensor }) => ({
        name,
        dtype: "F32",
        shape: [...declaration.shape],
        data: tensor.data as Float32Array,
      })),
    );
    const other = open();
    const source = openSafetensors(file);
    expect(checkWeights(networkParameters(network), source, encoder.prefix)).toEqual({ missing: [], unused: [], wrappers: [] });
    loadWeights(other, source, { prefix: encoder.prefix, seed: 0 });
    source.close();
    const logits = async (from: ParameterStore) =>
      (await createInferenceExecutor(testRuntime(), network, from, ["start_logits", "end_logits"])).run({ batch, seq }, inputsFor(encoder));
    expect(await logits(other)).toEqual(await logits(store));
  });

  test("reads as many tokens as it says, and no table is too short for them", async () => {
    const store = open();
    fillRandomly(store);
    const program = await createInferenceExecutor(testRuntime(), network, store, ["start_logits"]);
    const long = encoder.maxLength;
    const ids = BigInt64Array.from({ length: long }, (_, place) => BigInt(5 + (place % 90)));
    const one = {
      input_ids: ids,
      attention_mask: ids.map(() => 1n),
      token_type_ids: ids.map(() => 0n),
      start_positions: BigInt64Array.of(0n),
      end_positions: BigInt64Array.of(0n),
      start_weights: Float32Array.of(1),
      end_weights: Float32Array.of(1),
    };
    const { start_logits } = await program.run({ batch: 1, seq: long }, one);
    expect(start_logits).toHaveLength(long);
  });

  test.each(Object.keys(definition.tiny!))("a wrong %s is told by its key", (key) => {
    expect(() => buildModel({ ...config, [key]: "many" })).toThrow(expect.objectContaining({ code: "BAD_MODEL_CONFIG" }) as Error);
    expect(() => buildModel({ ...config, [key]: -1 })).toThrow(new RegExp(`${key}: `));
  });

  test("heads that do not divide the width are told", () => {
    const key = "n_heads" in definition.tiny! ? "n_heads" : "num_attention_heads";
    expect(() => buildModel({ ...config, [key]: 5 })).toThrow(expect.objectContaining({ code: "BAD_MODEL_CONFIG" }) as Error);
  });
});

test.each(models.map(({ type, tiny }) => [type, tiny] as const))(
  "a padding token of %s without an embedding is told",
  (model_type, tiny) => {
    expect(() => buildModel({ model_type, ...tiny, pad_token_id: 99 })).toThrow(
      /pad_token_id: below vocab_size, which is 99[^]*received: 99/,
    );
  },
);

describe("mobilebert", () => {
  const tiny = { model_type: "mobilebert", ...models.find(({ type }) => type === "mobilebert")!.tiny };

  test.each([
    [{ key_query_shared_bottleneck: false }, /key_query_shared_bottleneck: must be true, or use_bottleneck_attention/],
    [{ use_bottleneck: false, num_attention_heads: 5 }, /num_attention_heads: must divide the width of the layers/],
    [{ num_feedforward_networks: 513 }, /num_feedforward_networks: must not make more than 1024/],
    [{ normalization_type: "rms_norm" }, /normalization_type: /],
  ])("%j is told by its key", (wrong, message) => {
    expect(() => buildModel({ ...tiny, ...wrong })).toThrow(message);
  });

  test("queries and keys read the wide states where the bottleneck is as wide", () => {
    const names = (more: object) => [...networkParameters(buildModel({ ...tiny, ...more }).network).keys()];
    expect(names({ intra_bottleneck_size: 32, key_query_shared_bottleneck: false })).not.toContainEqual(
      expect.stringContaining("bottleneck.attention"),
    );
    expect(names({})).toContain("mobilebert.encoder.layer.1.ffn.0.output.LayerNorm.weight");
  });
});

describe("deberta-v2", () => {
  const tiny = { model_type: "deberta-v2", ...models.find(({ type }) => type === "deberta-v2")!.tiny };

  test("reads pos_att_type as older configs write it", () => {
    const names = (pos_att_type: unknown) => [
      ...networkParameters(buildModel({ ...tiny, share_att_key: false, pos_att_type }).network).keys(),
    ];
    expect(names("p2c|c2p")).toEqual(names(["p2c", "c2p"]));
    expect(names("c2p").filter((name) => name.includes("pos_"))).toEqual(
      [0, 1].flatMap((layer) => ["weight", "bias"].map((part) => `deberta.encoder.layer.${layer}.attention.self.pos_key_proj.${part}`)),
    );
  });

  test.each([
    [{ pos_att_type: ["p2p"] }, /pos_att_type\.0: /],
    [{ pos_att_type: [] }, /pos_att_type: must name c2p, p2c or both/],
    [{ attention_head_size: 4 }, /attention_head_size: must be hidden_size/],
    [{ conv_kernel_size: 2 }, /conv_kernel_size: must be odd/],
    [{ conv_kernel_size: 3, conv_groups: 2 }, /conv_groups: /],
    [{ conv_kernel_size: 3, conv_act: "mish" }, /conv_act: /],
    [{ norm_rel_ebd: "batch_norm" }, /norm_rel_ebd\.0: /],
    [{ position_buckets: 256 }, /position_buckets: must be below/],
  ])("%j, which is not supported, is told by its key", (wrong, message) => {
    expect(() => buildModel({ ...tiny, ...wrong })).toThrow(message);
  });

  test("without relative attention it has no table of distances", () => {
    const { network } = buildModel({ ...tiny, relative_attention: false, pos_att_type: undefined, position_biased_input: true });
    const names = [...networkParameters(network).keys()];
    expect(names.filter((name) => /rel_embeddings|encoder\.LayerNorm/.test(name))).toEqual([]);
    expect(names).toContain("deberta.embeddings.position_embeddings.weight");
  });
});

test("an unknown model_type is told with those that are known", () => {
  expect(() => buildModel({ model_type: "t5" })).toThrow(
    /not supported[^]*model_type bert, distilbert, roberta[^]*model_type: the text "t5"/,
  );
  expect(() => buildModel({})).toThrow(/a config\.json without model_type/);
});

test("an activation that is not known is told with those that are", () => {
  expect(() => buildModel({ model_type: "bert", vocab_size: 9, hidden_act: "mish" })).toThrow(
    /hidden_act: .*"gelu"[^]*received: the text "mish"/,
  );
});

test("relative positions, which transformers 5 dropped too, are refused and not ignored", () => {
  expect(() => buildModel({ model_type: "bert", vocab_size: 9, position_embedding_type: "relative_key" })).toThrow(
    /position_embedding_type/,
  );
});
