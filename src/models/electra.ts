/**
 * ELECTRA (Clark et al. 2020): BERT, pre-trained to tell replaced tokens from real ones. Small ones have embeddings narrower than their
 * layers. Reference implementation: transformers' modeling_electra.
 */
import { bertConfig, bertEmbeddingNames, bertEncoder, headsDivideWidth } from "./bert.js";
import { size } from "./config-fields.js";
import { defineModel } from "./define-model.js";

const electraConfig = bertConfig
  .extend({
    vocab_size: size.default(30522),
    embedding_size: size.default(128),
    hidden_size: size.default(256),
    num_attention_heads: size.default(4),
    intermediate_size: size.default(1024),
  })
  .refine(...headsDivideWidth);

export const electra = defineModel({
  type: "electra",
  questionAnswering: "ElectraForQuestionAnswering",
  config: electraConfig,
  build: (config, overrides) =>
    bertEncoder(config, overrides, {
      prefix: "electra.",
      embeddings: {
        width: config.embedding_size,
        ...(config.embedding_size !== config.hidden_size && { projectedWidth: config.hidden_size }),
      },
      embeddingNames: { ...bertEmbeddingNames, projection: "embeddings_project" },
    }),
  tiny: {
    vocab_size: 99,
    embedding_size: 24,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
    max_position_embeddings: 64,
  },
});
