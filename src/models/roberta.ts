/** RoBERTa (Liu et al. 2019): BERT whose positions count real tokens from the padding id on; reference: transformers' modeling_roberta. */
import { type BertConfig, bertConfig, bertEncoder, headsDivideWidth } from "./bert.js";
import { padTokenId } from "./config-fields.js";
import { defineModel, type ModelDefinition } from "./define-model.js";

/** RoBERTa under a model_type of its own: the same network and the same names, from another pre-training. */
export function robertaAs(type: string, questionAnswering: string): ModelDefinition {
  return defineModel<BertConfig>({
    type,
    questionAnswering,
    config: bertConfig.extend({ pad_token_id: padTokenId(1) }).refine(...headsDivideWidth),
    build: (config, overrides) => bertEncoder(config, overrides, { prefix: "roberta.", embeddings: { positionsFrom: config.pad_token_id } }),
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
}

export const roberta = robertaAs("roberta", "RobertaForQuestionAnswering");
