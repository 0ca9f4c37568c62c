/** DistilBERT (Sanh et al. 2019): BERT without token types; reference implementation: transformers' modeling_distilbert. */
import { z } from "zod";
import { activationName, bertEmbeddingNames } from "./bert.js";
import { layerCount, padTokenId, size } from "./config-fields.js";
import { defineModel } from "./define-model.js";
import { numbered, postNormEncoder } from "./post-norm-encoder.js";

const distilbertConfig = z.object({
  vocab_size: size.default(30522),
  dim: size.default(768),
  n_layers: layerCount.default(6),
  n_heads: size.default(12),
  hidden_dim: size.default(3072),
  activation: activationName.default("gelu"),
  dropout: z.number().min(0).max(1).default(0.1),
  attention_dropout: z.number().min(0).max(1).default(0.1),
  qa_dropout: z.number().min(0).max(1).default(0.1),
  max_position_embeddings: size.default(512),
  initializer_range: z.number().positive().default(0.02),
  pad_token_id: padTokenId(0),
});
type DistilbertConfig = z.infer<typeof distilbertConfig>;

/** transformers fixes it in the model's code. */
const epsilon = 1e-12;
const layerNames = {
  "attention.query": "attention.q_lin",
  "attention.key": "attention.k_lin",
  "attention.value": "attention.v_lin",
  "attention.output": "attention.out_lin",
  "attention.norm": "sa_layer_norm",
  intermediate: "ffn.lin1",
  output: "ffn.lin2",
  norm: "output_layer_norm",
};

export const distilbert = defineModel<DistilbertConfig>({
  type: "distilbert",
  questionAnswering: "DistilBertForQuestionAnswering",
  config: distilbertConfig.refine(({ dim, n_heads }) => dim % n_heads === 0, { path: ["n_heads"], error: "must divide dim" }),
  build: (config, overrides) => {
    const dropout = overrides.hidden ?? config.dropout;
    return postNormEncoder({
      prefix: "distilbert.",
      embeddings: {
        vocabulary: config.vocab_size,
        positions: config.max_position_embeddings,
        types: 0,
        width: config.dim,
        padding: config.pad_token_id,
        epsilon,
        dropout,
        deviation: config.initializer_range,
      },
      embeddingNames: bertEmbeddingNames,
      layer: {
        width: config.dim,
        heads: config.n_heads,
        intermediate: config.hidden_dim,
        activation: config.activation,
        epsilon,
        dropout,
        attentionDropout: overrides.attention ?? config.attention_dropout,
        deviation: config.initializer_range,
      },
      layerPaths: numbered("transformer.layer", config.n_layers),
      layerNames,
      headDropout: overrides.hidden ?? config.qa_dropout,
      padTokenId: config.pad_token_id,
    });
  },
  tiny: { vocab_size: 99, dim: 32, n_layers: 2, n_heads: 4, hidden_dim: 37, max_position_embeddings: 64 },
});
