/**
 * An op, an architecture and a metric of one's own, added to Lectern by importing this file: a program does (examples/extend.ts), and so does
 * `lectern VERB --import FILE`.
 */
import { registerMetric, registerModel } from "lectern";
import { add, type Block, defineOp, mul, sigmoid, symbol, type Value } from "lectern/engine";
import {
  checkpointNames,
  defineModel,
  dense,
  denseParameters,
  layerCount,
  longestInput,
  norm,
  normParameters,
  numbered,
  padTokenId,
  plainHead,
  selfAttention,
  size,
  tokenEmbeddings,
} from "lectern/models";
import { z } from "zod";

export const Softplus = defineOp({
  name: "Softplus", // ONNX has an operator of this name; another one would say in `lower` how it is written
  infer: ([x]) => [x],
  vjp: ({ dy, inputs: [x] }) => [mul(dy, sigmoid(x))], // d log(1 + eˣ) = σ(x) dx
  cost: "elementwise",
  sample: (random) => [{ inputs: [random.uniform([2, 3], -2, 2)] }, { inputs: [random.normal([1])] }, { inputs: [random.normal([0, 2])] }],
});

/** log(1 + eˣ) */
export function softplus(x: Value): Value {
  return Softplus.apply([x])[0];
}

const config = z.object({
  vocab_size: size,
  hidden_size: size.default(32),
  num_hidden_layers: layerCount.default(2),
  num_attention_heads: size.default(2),
  intermediate_size: size.default(64),
  hidden_dropout_prob: z.number().min(0).max(1).default(0),
  max_position_embeddings: size.default(128),
  pad_token_id: padTokenId(0),
});
type Config = z.infer<typeof config>;

const deviation = 0.1;
const epsilon = 1e-12;
const parts = ["query", "key", "value", "output"];

/** Attention and a feed-forward network with softplus: x [batch, seq, width], bias [batch, 1, 1, seq] → x [batch, seq, width] */
function layer({ hidden_size: width, intermediate_size: inner, num_attention_heads: heads }: Config, dropout: number): Block {
  const [batch, seq] = [symbol("batch"), symbol("seq")];
  return {
    kind: "softplus layer", // no other block is of this kind: those of equal kind and options share their programs
    options: { width, inner, heads, dropout },
    inputs: { x: { dtype: "float32", shape: [batch, seq, width] }, bias: { dtype: "float32", shape: [batch, 1, 1, seq] } },
    parameters: {
      ...Object.assign({}, ...parts.map((part) => denseParameters(`attention.${part}`, width, width, deviation))),
      ...normParameters("attention.norm", width),
      ...denseParameters("inner", width, inner, deviation),
      ...denseParameters("outer", inner, width, deviation),
      ...normParameters("norm", width),
    },
    build: (scope) => {
      const { x, bias } = scope.inputs;
      const attended = scope.dropout(selfAttention(scope, "attention", x, bias, { heads, dropout }), dropout);
      const middle = norm(scope, "attention.norm", add(x, attended), epsilon);
      const grown = dense(scope, "outer", softplus(dense(scope, "inner", middle)));
      return { x: norm(scope, "norm", add(middle, grown), epsilon) };
    },
  };
}

registerModel(
  defineModel<Config>({
    type: "softplus-encoder",
    questionAnswering: "SoftplusForQuestionAnswering",
    config,
    build: (config, overrides) => {
      const dropout = overrides.hidden ?? config.hidden_dropout_prob;
      const sizes = {
        ...{ vocabulary: config.vocab_size, positions: config.max_position_embeddings, types: 0, width: config.hidden_size },
        ...{ padding: config.pad_token_id, epsilon, dropout, deviation },
      };
      const embeddings = tokenEmbeddings(sizes);
      const block = layer(config, dropout);
      const hidden = `x ${config.num_hidden_layers}`;
      const layerNames = Object.fromEntries(
        [...parts.map((part) => `attention.${part}`), "attention.norm", "inner", "outer", "norm"].map((name) => [name, name]),
      );
      return {
        kind: "encoder",
        network: {
          inputs: embeddings.inputs,
          calls: [
            {
              block: embeddings,
              name: "embeddings",
              inputs: { input_ids: "input_ids", attention_mask: "attention_mask" },
              outputs: { x: "x 0", bias: "bias" },
              parameters: checkpointNames(embeddings.parameters, "encoder.embeddings.", {
                word: "words",
                position: "positions",
                norm: "norm",
              }),
            },
            ...numbered("encoder.layer", config.num_hidden_layers).map((path, index) => ({
              block,
              name: path,
              inputs: { x: `x ${index}`, bias: "bias" },
              outputs: { x: `x ${index + 1}` },
              parameters: checkpointNames(block.parameters, `${path}.`, layerNames),
            })),
          ],
        },
        hidden,
        width: config.hidden_size,
        head: plainHead(hidden),
        deviation,
        vocabularySize: config.vocab_size,
        maxLength: longestInput(sizes),
        padTokenId: config.pad_token_id,
        tokenTypes: undefined,
        prefix: "encoder.",
      };
    },
  }),
);

/** Share of answers that begin where a right one does, in percent. */
registerMetric({
  name: "begins_right",
  perQuestion: ({ example, span }) => (example.answers.some(({ start }) => start === span?.start) ? 100 : 0),
});
