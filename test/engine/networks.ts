/**
 * A small encoder-decoder for tests of the block machinery, with what later families need and readers do not: an encoder output
 * that several layers read (cross-attention), a table that three calls share (tied weights), a head with two outputs that both
 * carry a gradient. And the same network as one joined graph differentiated whole, to compare with.
 */
import type { Block, Call, Network } from "../../src/engine/block/block.js";
import { networkParameters } from "../../src/engine/block/block.js";
import { joinNetwork } from "../../src/engine/block/inference-executor.js";
import { createParameterStore, type ParameterStore } from "../../src/engine/block/parameter-store.js";
import type { MicroBatch } from "../../src/engine/block/training-commands.js";
import {
  add,
  attention,
  backward,
  type Bindings,
  crossEntropy,
  embedding,
  expandComposites,
  evaluateShape,
  Graph,
  linear,
  mean,
  mul,
  reshape,
  scalar,
  sigmoid,
  square,
  symbol,
  type SymbolicDimension,
  tanh,
} from "../../src/engine/index.js";
import { randomGenerator } from "../../src/engine/random.js";
import { allocateTensor } from "../../src/engine/runtime/runtime.js";
import { testRuntime } from "./compute-graph.js";

export const width = 8;
export const vocabulary = 11;
const [batch, source, target] = ["batch", "source", "target"].map(symbol);

const weight = (rows: number, columns: number) =>
  ({ shape: [rows, columns], initialise: { kind: "normal", deviation: 0.3 }, decay: true }) as const;
const bias = (size: number) => ({ shape: [size], initialise: { kind: "zeros" }, decay: false }) as const;

function embed(length: SymbolicDimension, rate: number): Block {
  return {
    kind: `embed ${length} ${rate}`,
    inputs: { ids: { dtype: "int64", shape: [batch, length] } },
    parameters: { table: weight(vocabulary, width) },
    build: ({ inputs, parameters, dropout }) => ({ x: dropout(embedding(parameters.table, inputs.ids), rate) }),
  };
}

function encoderLayer(rate: number): Block {
  return {
    kind: `encoder ${rate}`,
    inputs: { x: { dtype: "float32", shape: [batch, source, width] } },
    parameters: { weight: weight(width, width), bias: bias(width) },
    build: ({ inputs: { x }, parameters, dropout }) => {
      const grown = linear(x, parameters.weight, parameters.bias);
      return { x: add(x, dropout(mul(tanh(grown), sigmoid(grown)), rate)) };
    },
  };
}

/** Attention of y over the memory, with the memory as keys and as values: two uses of one input in one block. */
function decoderLayer(rate: number): Block {
  const heads = (length: SymbolicDimension) => [batch, 1, length, width];
  return {
    kind: `decoder ${rate}`,
    inputs: { y: { dtype: "float32", shape: [batch, target, width] }, memory: { dtype: "float32", shape: [batch, source, width] } },
    parameters: { query: weight(width, width), value: weight(width, width), output: weight(width, width) },
    build: ({ inputs: { y, memory }, parameters, dropoutMask }) => {
      const mask = dropoutMask([batch, 1, target, source], rate);
      const context = attention(
        reshape(linear(y, parameters.query), heads(target)),
        reshape(memory, heads(source)),
        reshape(linear(memory, parameters.value), heads(source)),
        { scale: 0.5, mask },
      );
      return { y: add(y, linear(reshape(context, y.shape), parameters.output)) };
    },
  };
}

/** Logits through the tied table; both scalars go on to `total`. */
const head: Block = {
  kind: "head",
  inputs: { y: { dtype: "float32", shape: [batch, target, width] }, labels: { dtype: "int64", shape: [batch, target] } },
  parameters: { table: weight(vocabulary, width) },
  build: ({ inputs: { y, labels }, parameters }) => {
    const logits = linear(y, parameters.table);
    return { logits, likelihood: crossEntropy(logits, labels).sum, size: mean(square(y)) };
  },
};

const total: Block = {
  kind: "total",
  inputs: { likelihood: { dtype: "float32", shape: [] }, size: { dtype: "float32", shape: [] } },
  parameters: {},
  build: ({ inputs: { likelihood, size } }) => ({ loss: add(likelihood, mul(size, 3)) }),
};

/** @param rate of every dropout */
export function encoderDecoder(rate: number): Network {
  const [encoder, decoder] = [encoderLayer(rate), decoderLayer(rate)];
  const encode = (index: number): Call => ({
    block: encoder,
    name: `encoder.${index}`,
    inputs: { x: `x ${index}` },
    outputs: { x: `x ${index + 1}` },
    parameters: { weight: `encoder.${index}.weight`, bias: `encoder.${index}.bias` },
  });
  const decode = (index: number): Call => ({
    block: decoder,
    name: `decoder.${index}`,
    inputs: { y: `y ${index}`, memory: "x 2" },
    outputs: { y: `y ${index + 1}` },
    parameters: { query: `decoder.${index}.query`, value: `decoder.${index}.value`, output: `decoder.${index}.output` },
  });
  const embedded = (length: SymbolicDimension, name: string, ids: string, x: string): Call => ({
    block: embed(length, rate),
    name,
    inputs: { ids },
    outputs: { x },
    parameters: { table: "table" },
  });
  return {
    inputs: {
      source_ids: { dtype: "int64", shape: [batch, source] },
      target_ids: { dtype: "int64", shape: [batch, target] },
      labels: { dtype: "int64", shape: [batch, target] },
    },
    calls: [
      embedded(source, "source", "source_ids", "x 0"),
      encode(0),
      encode(1),
      embedded(target, "target", "target_ids", "y 0"),
      decode(0),
      decode(1),
      decode(2),
      {
        block: head,
        name: "head",
        inputs: { y: "y 3", labels: "labels" },
        outputs: { logits: "logits", likelihood: "likelihood", size: "size" },
        parameters: { table: "table" },
      },
      { block: total, name: "total", inputs: { likelihood: "likelihood", size: "size" }, outputs: { loss: "loss" }, parameters: {} },
    ],
  };
}

/** A store whose weights are random, biases too. */
export function randomStore(network: Network, trainable: (name: string) => boolean = () => true): ParameterStore {
  const store = createParameterStore(testRuntime(), networkParameters(network), trainable);
  for (const [index, { tensor }] of [...store.parameters.values()].entries()) {
    const random = randomGenerator(5, index);
    (tensor.data as Float32Array).forEach((_, at, data) => (data[at] = 0.4 * random.normal()));
  }
  return store;
}

/** Random ids and labels, one label ignored. */
export function encoderDecoderBatch(bindings: Bindings, seed = 1): MicroBatch {
  const random = randomGenerator(seed);
  const ids = (count: number) => BigInt64Array.from({ length: count }, () => BigInt(random.below(vocabulary)));
  const labels = ids(bindings.batch * bindings.target);
  labels[0] = -100n;
  return {
    bindings,
    inputs: { source_ids: ids(bindings.batch * bindings.source), target_ids: ids(bindings.batch * bindings.target), labels },
    samples: Array.from({ length: bindings.batch }, (_, index) => index),
    step: 0,
  };
}

/** The gradient of the loss of the joined network (no dropout) by one backward walk over all of it. */
export async function joinedGradients(network: Network, store: ParameterStore, batch: MicroBatch): Promise<Map<string, Float32Array>> {
  const joined = joinNetwork(network, ["loss"]);
  const forward = expandComposites(joined.graph);
  const parameters = forward.inputs.slice(joined.inputs.length);
  const gradients = backward([{ value: forward.outputs[0].value, gradient: scalar(1) }], parameters);
  const outputs = gradients.map((value, index) => ({ name: `gradient of ${joined.parameters[index]}`, value: value! }));
  const program = await testRuntime().compile(new Graph(forward.inputs, outputs), { name: "joined gradients" });
  const inputs = joined.inputs.map((name) => {
    const { dtype, shape } = network.inputs[name];
    const tensor = allocateTensor(testRuntime(), dtype, evaluateShape(shape, batch.bindings));
    (tensor.data as BigInt64Array).set(batch.inputs[name] as BigInt64Array);
    return tensor;
  });
  const results = joined.parameters.map((name) => allocateTensor(testRuntime(), "float32", store.parameters.get(name)!.declaration.shape));
  await program.run([...inputs, ...joined.parameters.map((name) => store.parameters.get(name)!.tensor)], results);
  program.release();
  return new Map(joined.parameters.map((name, index) => [name, results[index].data as Float32Array]));
}

/** Copies of the gradients of a store's trained parameters. */
export function gradientsOf(store: ParameterStore): Map<string, Float32Array> {
  return new Map(
    [...store.parameters.values()].flatMap(({ name, gradient }) =>
      gradient === undefined ? [] : [[name, Float32Array.from(gradient.data as Float32Array)]],
    ),
  );
}
