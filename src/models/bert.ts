/** BERT (Devlin et al. 2019); reference implementation: transformers' modeling_bert. Models in its family share the pieces here. */
import { z } from "zod";
import type { EncoderLayerOptions } from "../nn/encoder-layer.js";
import { type ActivationName, activations } from "../nn/layers.js";
import type { TokenEmbeddingsOptions } from "../nn/token-embeddings.js";
import { layerCount, padTokenId, size } from "./config-fields.js";
import { defineModel, type DropoutOverrides, type Encoder } from "./define-model.js";
import { numbered, postNormEncoder, type PostNormEncoderOptions } from "./post-norm-encoder.js";

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

export type BertVariant = Pick<PostNormEncoderOptions, "prefix"> &
  Partial<Pick<PostNormEncoderOptions, "distances" | "layerPaths" | "embeddingNames" | "layerNames">> & {
    /** What of the embeddings does not follow from the config as in BERT. */
    readonly embeddings?: Partial<TokenEmbeddingsOptions>;
    /** What of the layers does not. */
    readonly layer?: Partial<EncoderLayerOptions>;
  };

/** The encoder of a model whose config has BERT's keys. */
export function bertEncoder(config: BertConfig, overrides: DropoutOverrides, variant: BertVariant): Encoder {
  const { hidden_size: width, layer_norm_eps: epsilon, initializer_range: deviation } = config;
  const dropout = overrides.hidden ?? config.hidden_dropout_prob;
  return postNormEncoder({
    embeddingNames: bertEmbeddingNames,
    layerPaths: numbered("encoder.layer", config.num_hidden_layers),
    layerNames: bertLayerNames,
    headDropout: 0,
    padTokenId: config.pad_token_id,
    ...variant,
    embeddings: {
      vocabulary: config.vocab_size,
      positions: config.max_position_embeddings,
      types: config.type_vocab_size,
      width,
      padding: config.pad_token_id,
      epsilon,
      dropout,
      deviation,
      ...variant.embeddings,
    },
    layer: {
      width,
      heads: config.num_attention_heads,
      intermediate: config.intermediate_size,
      activation: config.hidden_act,
      epsilon,
      dropout,
      attentionDropout: overrides.attention ?? config.attention_probs_dropout_prob,
      deviation,
      ...variant.layer,
    },
  });
}

export const bert = defineModel<BertConfig>({
  type: "bert",
  questionAnswering: "BertForQuestionAnswering",
  config: bertConfig.refine(...headsDivideWidth),
  build: (config, overrides) => bertEncoder(config, overrides, { prefix: "bert." }),
  tiny: {
    vocab_size: 99,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
    max_position_embeddings: 64,
  },
});
