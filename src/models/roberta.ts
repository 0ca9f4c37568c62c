/** RoBERTa (Liu et al. 2019): BERT whose positions count real tokens from the padding id on; reference: transformers' modeling_roberta. */
import type { BlockScope } from "../engine/block/block.js";
import { add, cast, cumulativeSum, equal, mul, not, type Value } from "../engine/index.js";
import { embedding } from "../nn/layers.js";
import { type BertConfig, bertConfig, bertEncoder, headsDivideWidth } from "./bert.js";
import { padTokenId } from "./config-fields.js";
import { defineModel } from "./define-model.js";

/** Real tokens are numbered from padding + 1 on, wherever the padding stands; padding itself sits at `padding`: [batch, seq, width]. */
function positions(scope: BlockScope, padding: number): Value {
  const { input_ids } = scope.inputs;
  const real = cast(not(equal(input_ids, padding)), "int64");
  return embedding(scope, "position", add(mul(cumulativeSum(real, 1), real), padding), padding);
}

export const roberta = defineModel<BertConfig>({
  type: "roberta",
  questionAnswering: "RobertaForQuestionAnswering",
  config: bertConfig.extend({ pad_token_id: padTokenId(1) }).refine(...headsDivideWidth),
  build: (config, overrides) => ({
    ...bertEncoder("roberta", config, overrides, (scope) => positions(scope, config.pad_token_id)),
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
