/**
 * ALBERT (Lan et al. 2020): BERT whose layers share their parameters, all of them or group by group, behind narrow embeddings. Reference
 * implementation: transformers' modeling_albert.
 */
import { z } from "zod";
import { activationName, bertConfig, bertEmbeddingNames, bertEncoder, headsDivideWidth } from "./bert.js";
import { layerCount, size } from "./config-fields.js";
import { defineModel } from "./define-model.js";

const albertConfig = bertConfig
  .extend({
    vocab_size: size.default(30000),
    embedding_size: size.default(128),
    hidden_size: size.default(4096),
    num_hidden_groups: layerCount.default(1),
    num_attention_heads: size.default(64),
    intermediate_size: size.default(16384),
    inner_group_num: layerCount.default(1),
    hidden_act: activationName.default("gelu_new"),
    hidden_dropout_prob: z.number().min(0).max(1).default(0),
    attention_probs_dropout_prob: z.number().min(0).max(1).default(0),
  })
  .refine(...headsDivideWidth)
  .refine(({ num_hidden_groups, num_hidden_layers }) => num_hidden_groups <= num_hidden_layers, {
    path: ["num_hidden_groups"],
    error: "must not be above num_hidden_layers",
  })
  .refine(({ inner_group_num, num_hidden_layers }) => layerCount.safeParse(inner_group_num * num_hidden_layers).success, {
    path: ["inner_group_num"],
    error: "must not make more than 1024 layers in all",
  });
type AlbertConfig = z.infer<typeof albertConfig>;

/** Where each layer's parameters are: layers of a group, which follow each other, go through the group's own layers again and again. */
function layerPaths({ num_hidden_layers: layers, num_hidden_groups: groups, inner_group_num: inner }: AlbertConfig): string[] {
  return Array.from({ length: layers }, (_, index) => Math.floor(index / (layers / groups))).flatMap((group) =>
    Array.from({ length: inner }, (_, index) => `encoder.albert_layer_groups.${group}.albert_layers.${index}`),
  );
}

const layerNames = {
  "attention.query": "attention.query",
  "attention.key": "attention.key",
  "attention.value": "attention.value",
  "attention.output": "attention.dense",
  "attention.norm": "attention.LayerNorm",
  intermediate: "ffn",
  output: "ffn_output",
  norm: "full_layer_layer_norm",
};

export const albert = defineModel({
  type: "albert",
  questionAnswering: "AlbertForQuestionAnswering",
  config: albertConfig,
  build: (config, overrides) =>
    bertEncoder(config, overrides, {
      prefix: "albert.",
      embeddings: { width: config.embedding_size, projectedWidth: config.hidden_size },
      embeddingNames: { ...bertEmbeddingNames, projection: "encoder.embedding_hidden_mapping_in" },
      layer: { feedForwardDropout: 0 }, // transformers has a dropout there and never calls it
      layerPaths: layerPaths(config),
      layerNames,
    }),
  tiny: {
    vocab_size: 99,
    embedding_size: 24,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_hidden_groups: 1,
    num_attention_heads: 4,
    intermediate_size: 37,
    inner_group_num: 1,
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
    max_position_embeddings: 64,
  },
});
