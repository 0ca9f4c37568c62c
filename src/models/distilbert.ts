/** DistilBERT (Sanh et al. 2019): BERT without token types; reference implementation: transformers' modeling_distilbert. */
import { z } from "zod";
import type { Block } from "../engine/block/block.js";
import { add, iota, symbol } from "../engine/index.js";
import { paddingBias } from "../nn/attention.js";
import { embedding, norm } from "../nn/layers.js";
import { checkpointNames, embeddingParameters, normParameters } from "../nn/parameters.js";
import { activationName, bertEmbeddingNames, encoderCalls } from "./bert.js";
import { layerCount, padTokenId, size } from "./config-fields.js";
import { defineModel } from "./define-model.js";

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
const [batch, seq] = [symbol("batch"), symbol("seq")];
const ids = { dtype: "int64", shape: [batch, seq] } as const;

/** Word and position embeddings, normalised: ids [batch, seq] → x [batch, seq, width] and the padding bias. */
function embeddings(config: DistilbertConfig, dropout: number): Block {
  const { dim, initializer_range: deviation } = config;
  return {
    kind: "distilbert embeddings",
    options: { config, dropout },
    inputs: { input_ids: ids, attention_mask: ids },
    parameters: {
      ...embeddingParameters("word", config.vocab_size, dim, deviation),
      ...embeddingParameters("position", config.max_position_embeddings, dim, deviation),
      ...normParameters("norm", dim),
    },
    build: (scope) => {
      const { input_ids, attention_mask } = scope.inputs;
      const sum = add(embedding(scope, "word", input_ids, config.pad_token_id), embedding(scope, "position", iota(seq)));
      return { x: scope.dropout(norm(scope, "norm", sum, epsilon), dropout), bias: paddingBias(attention_mask) };
    },
  };
}

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
    const prefix = "distilbert.";
    const embed = embeddings(config, dropout);
    const layer = {
      width: config.dim,
      heads: config.n_heads,
      intermediate: config.hidden_dim,
      activation: config.activation,
      epsilon,
      dropout,
      attentionDropout: overrides.attention ?? config.attention_dropout,
      deviation: config.initializer_range,
    };
    return {
      kind: "encoder",
      network: {
        inputs: { input_ids: ids, attention_mask: ids },
        calls: [
          {
            block: embed,
            name: "embeddings",
            inputs: { input_ids: "input_ids", attention_mask: "attention_mask" },
            outputs: { x: "x 0", bias: "bias" },
            parameters: checkpointNames(embed.parameters, prefix, bertEmbeddingNames),
          },
          ...encoderCalls(config.n_layers, layer, prefix, "transformer.layer", layerNames),
        ],
      },
      hidden: `x ${config.n_layers}`,
      width: config.dim,
      headDropout: overrides.hidden ?? config.qa_dropout,
      deviation: config.initializer_range,
      vocabularySize: config.vocab_size,
      maxLength: config.max_position_embeddings,
      padTokenId: config.pad_token_id,
      tokenTypes: undefined,
      prefix,
    };
  },
  tiny: { vocab_size: 99, dim: 32, n_layers: 2, n_heads: 4, hidden_dim: 37, max_position_embeddings: 64 },
});
