/** The reader's head: logits, and a loss that is a plain sum over windows, computed here by hand. */
import { describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import {
  createInferenceExecutor,
  createParameterStore,
  createTrainingExecutor,
  type HostArray,
  networkParameters,
} from "../../engine/index.js";
import { randomGenerator } from "../../engine/random.js";
import { buildModel } from "../../models/index.js";
import { type HeadOptions, readerNetwork } from "./head.js";

const encoder = buildModel(
  {
    model_type: "bert",
    vocab_size: 30,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 8,
    max_position_embeddings: 16,
  },
  { hidden: 0, attention: 0 },
);
const lengths = [6, 4, 2];

function storeFor(options: HeadOptions, trainable = false) {
  const store = createParameterStore(testRuntime(), networkParameters(readerNetwork(encoder, options)), () => trainable);
  for (const [stream, { tensor }] of [...store.parameters.values()].entries()) {
    const random = randomGenerator(8, stream);
    (tensor.data as Float32Array).forEach((_, at, data) => (data[at] = 0.5 * random.normal()));
  }
  return store;
}

interface Labels {
  start: number[];
  end: number[];
  startWeights?: number[];
  endWeights?: number[];
}

function inputs(
  { start, end, startWeights = [0.5, 0.5, 0.5], endWeights = startWeights }: Labels,
  rows = [0, 1, 2],
  seq = 6,
): Record<string, HostArray> {
  const random = randomGenerator(4);
  const tokens = lengths.map((length) => Array.from({ length }, () => random.below(30)));
  const grid = (value: (row: number, place: number) => number) =>
    BigInt64Array.from({ length: rows.length * seq }, (_, at) => BigInt(value(rows[Math.floor(at / seq)], at % seq)));
  return {
    input_ids: grid((row, place) => tokens[row][place] ?? 0),
    attention_mask: grid((row, place) => (place < lengths[row] ? 1 : 0)),
    token_type_ids: grid(() => 0),
    start_positions: BigInt64Array.from(rows, (row) => BigInt(start[row])),
    end_positions: BigInt64Array.from(rows, (row) => BigInt(end[row])),
    start_weights: Float32Array.from(rows, (row) => startWeights[row]),
    end_weights: Float32Array.from(rows, (row) => endWeights[row]),
  };
}

async function forward(options: HeadOptions, labels: Labels, rows = [0, 1, 2], seq = 6) {
  const program = await createInferenceExecutor(testRuntime(), readerNetwork(encoder, options), storeFor(options), [
    "start_logits",
    "end_logits",
    "loss",
  ]);
  return program.run({ batch: rows.length, seq }, inputs(labels, rows, seq));
}

/** −ln softmax at the target, over the first `count` positions. */
function crossEntropy(logits: ArrayLike<number>, row: number, count: number, target: number): number {
  const values = Array.from({ length: count }, (_, place) => logits[row * 6 + place]);
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0)) - values[target];
}

const labels: Labels = { start: [2, 0, 1], end: [5, 0, 1] };

describe("the loss", () => {
  test("is over the real tokens where padding is masked", async () => {
    const { start_logits, end_logits, loss } = await forward({ maskPadding: true }, labels);
    const expected = lengths.reduce(
      (sum, count, row) =>
        sum + 0.5 * (crossEntropy(start_logits, row, count, labels.start[row]) + crossEntropy(end_logits, row, count, labels.end[row])),
      0,
    );
    expect(loss[0]).toBeCloseTo(expected, 4);
  });

  test("is over all positions where it is not, as transformers computes it", async () => {
    const { start_logits, end_logits, loss } = await forward({ maskPadding: false }, labels);
    const expected = lengths.reduce(
      (sum, _, row) =>
        sum + 0.5 * (crossEntropy(start_logits, row, 6, labels.start[row]) + crossEntropy(end_logits, row, 6, labels.end[row])),
      0,
    );
    expect(loss[0]).toBeCloseTo(expected, 4);
  });

  test("weighs starts and ends of each window apart", async () => {
    const { start_logits, end_logits, loss } = await forward(
      { maskPadding: true },
      { ...labels, startWeights: [1, 0, 2], endWeights: [0, 3, 0] },
    );
    const expected = crossEntropy(start_logits, 0, 6, 2) + 2 * crossEntropy(start_logits, 2, 2, 1) + 3 * crossEntropy(end_logits, 1, 4, 0);
    expect(loss[0]).toBeCloseTo(expected, 4);
  });

  test("counts nothing for a label outside the window", async () => {
    const { start_logits, loss } = await forward({ maskPadding: true }, { ...labels, start: [2, 6, 99], end: [6, 6, 6] });
    expect(loss[0]).toBeCloseTo(0.5 * crossEntropy(start_logits, 0, 6, 2), 4);
  });

  test("adds up over any split, padded to any width", async () => {
    const whole = (await forward({ maskPadding: true }, labels)).loss[0];
    const parts = await Promise.all([forward({ maskPadding: true }, labels, [0], 9), forward({ maskPadding: true }, labels, [1, 2], 4)]);
    expect(parts[0].loss[0] + parts[1].loss[0]).toBeCloseTo(whole, 4);
  });
});

test("logits of real tokens do not depend on padding", async () => {
  const [narrow, wide] = [await forward({ maskPadding: true }, labels, [1], 4), await forward({ maskPadding: true }, labels, [1], 12)];
  narrow.start_logits.forEach((value, at) => expect(wide.start_logits[at]).toBeCloseTo(value, 5));
});

test("a model with dropout before its head drops there while training only", async () => {
  const distil = buildModel({
    model_type: "distilbert",
    vocab_size: 30,
    dim: 8,
    n_layers: 1,
    n_heads: 2,
    hidden_dim: 8,
    dropout: 0,
    attention_dropout: 0,
    qa_dropout: 0.5,
  });
  const network = readerNetwork(distil, { maskPadding: true });
  const store = createParameterStore(testRuntime(), networkParameters(network), () => true);
  for (const { tensor } of store.parameters.values()) (tensor.data as Float32Array).forEach((_, at, data) => (data[at] = Math.sin(at)));
  const executor = await createTrainingExecutor(testRuntime(), network, store, { policy: "keep", loss: "loss", seed: 1 });
  const lossAt = async (step: number) =>
    (await executor.run({ bindings: { batch: 3, seq: 6 }, inputs: inputs(labels), samples: [0, 1, 2], step }, ["loss"])).loss[0];
  expect(await lossAt(0)).not.toBe(await lossAt(1));
  expect(await lossAt(0)).toBe(await lossAt(0));
});
