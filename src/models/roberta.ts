/** RoBERTa (Liu et al. 2019): BERT whose positions count real tokens from the padding id on; reference: transformers' modeling_roberta. */
import { z } from "zod";
import type { Block } from "../engine/block/block.js";
import { add, cast, cumulativeSum, equal, mul, not, symbol } from "../engine/index.js";
import { paddingBias } from "../nn/attention.js";
import { embedding, norm } from "../nn/layers.js";
import { embeddingParameters, normParameters } from "../nn/parameters.js";
import { type BertConfig, bertConfig, bertEncoder, headsDivideWidth } from "./bert.js";
import { defineModel } from "./define-model.js";

const [batch, seq] = [symbol("batch"), symbol("seq")];
const ids = { dtype: "int64", shape: [batch, seq] } as const;

/** Word, position and token-type embeddings, normalised: ids [batch, seq] → x [batch, seq, width] and the padding bias. */
function embeddings(config: BertConfig, dropout: number): Block {
  const { hidden_size: width, initializer_range: deviation, pad_token_id: padding } = config;
  return {
    kind: "roberta embeddings",
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
      // Real tokens are numbered from padding + 1 on, wherever the padding stands; padding itself sits at `padding`.
      const real = cast(not(equal(input_ids, padding)), "int64");
      const places = add(mul(cumulativeSum(real, 1), real), padding);
      const position = embedding(scope, "position", places, padding);
      const sum = add(add(embedding(scope, "word", input_ids, padding), embedding(scope, "type", token_type_ids)), position);
      return { x: scope.dropout(norm(scope, "norm", sum, config.layer_norm_eps), dropout), bias: paddingBias(attention_mask) };
    },
  };
}

export const roberta = defineModel<BertConfig>({
  type: "roberta",
  questionAnswering: "RobertaForQuestionAnswering",
  config: bertConfig
    .extend({
      pad_token_id: z
        .number()
        .int()
        .nonnegative()
        .nullish()
        .transform((id) => id ?? 1),
    })
    .refine(...headsDivideWidth),
  build: (config, overrides) => ({
    ...bertEncoder(config, overrides, "roberta.", embeddings(config, overrides.hidden ?? config.hidden_dropout_prob)),
    maxLength: config.max_position_embeddings - config.pad_token_id - 1,
  }),
  tiny: {
    vocab_size: 99,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
    max_position_embeddings: 64,
    type_vocab_size: 1,
    pad_token_id: 1,
  },
});
