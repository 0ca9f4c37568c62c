/**
 * MPNet (Song et al. 2020): BERT without token types, whose attention has a bias of distances that all layers share. Reference
 * implementation: transformers' modeling_mpnet.
 */
import { bertConfig, bertEncoder, bertLayerNames, headsDivideWidth } from "./bert.js";
import { padTokenId, size } from "./config-fields.js";
import { defineModel } from "./define-model.js";

/** transformers fixes these in the model's code, whatever the config says: the uncounted token, and the rule of the buckets. */
const uncounted = 1;
const rule = { buckets: 32, range: 128 };

const mpnetConfig = bertConfig
  .omit({ type_vocab_size: true })
  .extend({
    vocab_size: size.default(30527),
    pad_token_id: padTokenId(1),
    relative_attention_num_buckets: size.min(rule.buckets).default(rule.buckets),
  })
  .refine(...headsDivideWidth)
  .refine(({ max_position_embeddings }) => max_position_embeddings > uncounted + 1, {
    path: ["max_position_embeddings"],
    error: `must be above ${uncounted + 1}: positions begin there`,
  });

export const mpnet = defineModel({
  type: "mpnet",
  questionAnswering: "MPNetForQuestionAnswering",
  config: mpnetConfig,
  build: (config, overrides) =>
    bertEncoder({ ...config, type_vocab_size: 0 }, overrides, {
      prefix: "mpnet.",
      embeddings: { padding: uncounted, positionsFrom: uncounted },
      distances: {
        bias: {
          ...rule,
          rows: config.relative_attention_num_buckets,
          heads: config.num_attention_heads,
          longest: config.max_position_embeddings,
          deviation: config.initializer_range,
        },
        path: "encoder.relative_attention_bias",
      },
      layerNames: {
        ...bertLayerNames,
        "attention.query": "attention.attn.q",
        "attention.key": "attention.attn.k",
        "attention.value": "attention.attn.v",
        "attention.output": "attention.attn.o",
        "attention.norm": "attention.LayerNorm",
      },
    }),
  tiny: {
    vocab_size: 99,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
    max_position_embeddings: 64,
    relative_attention_num_buckets: 32,
    pad_token_id: 1,
  },
});
