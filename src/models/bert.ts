/** BERT (Devlin et al. 2019); reference implementation: transformers' modeling_bert. Models in its family share the pieces here. */
import { z } from "zod";
import type { Block, BlockScope, Call } from "../engine/block/block.js";
import { add, iota, symbol, type Value } from "../engine/index.js";
import { paddingBias } from "../nn/attention.js";
import { type EncoderLayerOptions, postNormEncoderLayer } from "../nn/encoder-layer.js";
import { type ActivationName, activations, embedding, norm } from "../nn/layers.js";
import { checkpointNames, embeddingParameters, normParameters } from "../nn/parameters.js";
import { layerCount, padTokenId, size } from "./config-fields.js";
import { defineModel, type DropoutOverrides, type Encoder } from "./define-model.js";

export const activationName = z.enum(Object.keys(activations) as [ActivationName, ...ActivationName[]]);

/** The keys of config.json that BERT and RoBERTa read, with transformers' defaults. */
export const bertConfig = z.object({
  vocab_size: size,
  hidden_size: size.default(768),
  num_hidden_layers: layerCount.default(12),
  num_attention_heads: size.default(12),
  intermediate_size: size.default(3072),
  hidden_act: activationName.default("gelu"),
  hidden_dropout_prob: z.number().min(0).max(1).default(0.1),
  attention_probs_dropout_prob: z.number().min(0).max(1).default(0.1),
  max_position_embeddings: size.default(512),
  type_vocab_size: size.default(2),
  layer_norm_eps: z.number().positive().default(1e-12),
  initializer_range: z.number().positive().default(0.02),
  pad_token_id: padTokenId(0),
  position_embedding_type: z.literal("absolute").nullish(),
});
export type BertConfig = z.infer<typeof bertConfig>;

/** Arguments of a schema's refine(): each head has an equal part of the width. */
export const headsDivideWidth: [check: (config: Pick<BertConfig, "hidden_size" | "num_attention_heads">) => boolean, mistake: { path: PropertyKey[]; error: string }] = [
  ({ hidden_size, num_attention_heads }) => hidden_size % num_attention_heads === 0,
  { path: ["num_attention_heads"], error: "must divide hidden_size" },
];

const [batch, seq] = [symbol("batch"), symbol("seq")];
const ids = { dtype: "int64", shape: [batch, seq] } as const;

/** The position embeddings of a batch, [seq, width] or [batch, seq, width]: where BERT's family differs. */
type PositionRule = (scope: BlockScope) => Value;

/** Word, position and token-type embeddings, normalised: ids [batch, seq] → x [batch, seq, width] and the padding bias. */
function embeddings(type: string, config: BertConfig, dropout: number, positions: PositionRule): Block {
  const { hidden_size: width, initializer_range: deviation } = config;
  return {
    kind: `${type} embeddings`,
    options: { config, dropout },
    inputs: { input_ids: ids, attention_mask: ids, token_type_ids: ids },
    parameters: {
      ...embeddingParameters("word", config.vocab_size, width, deviation),
      ...embeddingParameters("position", config.max_position_embeddings, width, deviation),
      ...embeddingParameters("type", config.type_vocab_size, width, deviation),
      ...normParameters("norm", width),
    },
    build: (scope) => {
      const { input_ids, attention_mask, token_type_ids } = scope.inputs;
      const words = embedding(scope, "word", input_ids, config.pad_token_id);
      const sum = add(add(words, embedding(scope, "type", token_type_ids)), positions(scope));
      return { x: scope.dropout(norm(scope, "norm", sum, config.layer_norm_eps), dropout), bias: paddingBias(attention_mask) };
    },
  };
}

export const bertEmbeddingNames = {
  word: "embeddings.word_embeddings",
  position: "embeddings.position_embeddings",
  type: "embeddings.token_type_embeddings",
  norm: "embeddings.LayerNorm",
};

export const bertLayerNames = {
  "attention.query": "attention.self.query",
  "attention.key": "attention.self.key",
  "attention.value": "attention.self.value",
  "attention.output": "attention.output.dense",
  "attention.norm": "attention.output.LayerNorm",
  intermediate: "intermediate.dense",
  output: "output.dense",
  norm: "output.LayerNorm",
};

/** The calls of a stack of equal layers, from `x 0` to the last hidden states. */
export function encoderCalls(
  layers: number,
  options: EncoderLayerOptions,
  prefix: string,
  path: string,
  names: Readonly<Record<string, string>>,
): Call[] {
  const block = postNormEncoderLayer(options);
  return Array.from({ length: layers }, (_, index) => ({
    block,
    name: `${path}.${index}`,
    inputs: { x: `x ${index}`, bias: "bias" },
    outputs: { x: `x ${index + 1}` },
    parameters: checkpointNames(block.parameters, `${prefix}${path}.${index}.`, names),
  }));
}

/** BERT and RoBERTa differ in their position embeddings only. `type` is the model_type, and the path under which full models hold the encoder. */
export function bertEncoder(type: string, config: BertConfig, overrides: DropoutOverrides, positions: PositionRule): Omit<Encoder, "maxLength"> {
  const prefix = `${type}.`;
  const layer: EncoderLayerOptions = {
    width: config.hidden_size,
    heads: config.num_attention_heads,
    intermediate: config.intermediate_size,
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps,
    dropout: overrides.hidden ?? config.hidden_dropout_prob,
    attentionDropout: overrides.attention ?? config.attention_probs_dropout_prob,
    deviation: config.initializer_range,
  };
  const embed = embeddings(type, config, layer.dropout, positions);
  return {
    kind: "encoder",
    network: {
      inputs: { input_ids: ids, attention_mask: ids, token_type_ids: ids },
      calls: [
        {
          block: embed,
          name: "embeddings",
          inputs: { input_ids: "input_ids", attention_mask: "attention_mask", token_type_ids: "token_type_ids" },
          outputs: { x: "x 0", bias: "bias" },
          parameters: checkpointNames(embed.parameters, prefix, bertEmbeddingNames),
        },
        ...encoderCalls(config.num_hidden_layers, layer, prefix, "encoder.layer", bertLayerNames),
      ],
    },
    hidden: `x ${config.num_hidden_layers}`,
    width: config.hidden_size,
    headDropout: 0,
    deviation: config.initializer_range,
    vocabularySize: config.vocab_size,
    padTokenId: config.pad_token_id,
    tokenTypes: config.type_vocab_size,
    prefix,
  };
}

export const bert = defineModel<BertConfig>({
  type: "bert",
  questionAnswering: "BertForQuestionAnswering",
  config: bertConfig.refine(...headsDivideWidth),
  build: (config, overrides) => ({
    ...bertEncoder("bert", config, overrides, (scope) => embedding(scope, "position", iota(seq))),
    maxLength: config.max_position_embeddings,
  }),
  tiny: {
    vocab_size: 99,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
    max_position_embeddings: 64,
  },
});
