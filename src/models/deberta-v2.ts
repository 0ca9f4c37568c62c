/**
 * DeBERTa v2 and v3 (He et al. 2021): BERT whose attention sees distances instead of places; reference implementation: transformers'
 * modeling_deberta_v2. The two are one architecture: v3 was pre-trained in another way, and shares the layers of content and distance.
 */
import { z } from "zod";
import type { Block, BlockScope, Call } from "../engine/block/block.js";
import { add, cast, concat, iota, linear, mul, reshape, symbol, tanh, transpose, type Value } from "../engine/index.js";
import {
  type DisentangledAttentionOptions,
  disentangledAttentionParameters,
  disentangledSelfAttention,
  relativeParameters,
} from "../nn/disentangled-attention.js";
import { afterAttention, afterAttentionParameters, type EncoderLayerOptions } from "../nn/encoder-layer.js";
import { activations, dense, embedding, norm } from "../nn/layers.js";
import { neighbours } from "../nn/neighbours.js";
import { checkpointNames, type Declarations, embeddingParameters, normParameters } from "../nn/parameters.js";
import { bertConfig, bertEmbeddingNames, bertLayerNames, headsDivideWidth } from "./bert.js";
import { layerCount, size } from "./config-fields.js";
import { defineModel, plainHead } from "./define-model.js";

const convolutionActivations = { ...activations, tanh } as const;

/** The parts of a list, or of a text with | between them, as older configs have it. */
const parts = (value: unknown) =>
  typeof value === "string"
    ? value
        .toLowerCase()
        .split("|")
        .map((part) => part.trim())
    : value;
/** Published configs write −1 for "none", or "as many as there are positions". */
const countOrNone = z
  .number()
  .int()
  .min(-1)
  .max(2 ** 24)
  .nullish()
  .transform((count) => (count !== undefined && count !== null && count > 0 ? count : undefined));

const debertaConfig = bertConfig
  .omit({ position_embedding_type: true })
  .extend({
    vocab_size: size.default(128100),
    hidden_size: size.default(1536),
    num_hidden_layers: layerCount.default(24),
    num_attention_heads: size.default(24),
    intermediate_size: size.default(6144),
    type_vocab_size: z.number().int().nonnegative().max(2 ** 24).default(0),
    layer_norm_eps: z.number().positive().default(1e-7),
    relative_attention: z.boolean().default(false),
    max_relative_positions: countOrNone,
    position_buckets: countOrNone,
    position_biased_input: z.boolean().default(true),
    pos_att_type: z.preprocess((value) => parts(value) ?? [], z.array(z.enum(["c2p", "p2c"]))),
    share_att_key: z.boolean().default(false),
    norm_rel_ebd: z.preprocess((value) => parts(value) ?? ["none"], z.array(z.enum(["none", "layer_norm"]))),
    attention_head_size: size.nullish(),
    embedding_size: size.nullish(),
    conv_kernel_size: z
      .number()
      .int()
      .nonnegative()
      .max(1024)
      .default(0)
      .refine((width) => width === 0 || width % 2 === 1, "must be odd"),
    conv_groups: z.literal(1).default(1),
    conv_act: z.enum(Object.keys(convolutionActivations) as (keyof typeof convolutionActivations)[]).default("tanh"),
  })
  .refine(...headsDivideWidth)
  .refine(({ attention_head_size: head, num_attention_heads: heads, hidden_size }) => !head || head * heads === hidden_size, {
    path: ["attention_head_size"],
    error: "must be hidden_size / num_attention_heads",
  })
  .refine(({ relative_attention, pos_att_type }) => !relative_attention || pos_att_type.length > 0, {
    path: ["pos_att_type"],
    error: "must name c2p, p2c or both where relative_attention is true",
  })
  .refine((config) => config.position_buckets === undefined || Math.floor(config.position_buckets / 2) < distanceRange(config) - 1, {
    path: ["position_buckets"],
    error: "must be below twice the largest distance, max_relative_positions - 1",
  });
type DebertaConfig = z.infer<typeof debertaConfig>;

function distanceRange(config: { max_relative_positions?: number | undefined; max_position_embeddings: number }): number {
  return config.max_relative_positions ?? config.max_position_embeddings;
}

const [batch, seq] = [symbol("batch"), symbol("seq")];
const ids = { dtype: "int64", shape: [batch, seq] } as const;
const realType = { dtype: "float32", shape: [batch, seq] } as const;

/** ids [batch, seq] → x [batch, seq, width], zero at padding, and real [batch, seq]: 1 for tokens, 0 for padding. */
function embeddings(config: DebertaConfig, dropout: number): Block {
  const { hidden_size: width, initializer_range: deviation, layer_norm_eps: epsilon } = config;
  const narrow = config.embedding_size ?? width;
  const hasTypes = config.type_vocab_size > 0;
  return {
    kind: "deberta-v2 embeddings",
    options: { config, dropout },
    inputs: { input_ids: ids, attention_mask: ids, ...(hasTypes && { token_type_ids: ids }) },
    parameters: {
      ...embeddingParameters("word", config.vocab_size, narrow, deviation),
      ...(config.position_biased_input ? embeddingParameters("position", config.max_position_embeddings, narrow, deviation) : {}),
      ...(hasTypes ? embeddingParameters("type", config.type_vocab_size, narrow, deviation) : {}),
      ...(narrow === width ? {} : embeddingParameters("projection", width, narrow, deviation)),
      ...normParameters("norm", width),
    },
    build: (scope) => {
      const { input_ids, attention_mask, token_type_ids } = scope.inputs;
      const real = cast(attention_mask, "float32");
      let sum = embedding(scope, "word", input_ids, config.pad_token_id);
      if (config.position_biased_input) sum = add(sum, embedding(scope, "position", iota(seq)));
      if (hasTypes) sum = add(sum, embedding(scope, "type", token_type_ids));
      const wide = narrow === width ? sum : dense(scope, "projection", sum);
      return { x: scope.dropout(onlyReal(norm(scope, "norm", wide, epsilon), real), dropout), real };
    },
  };
}

/** x [batch, seq, width] with zeros at padding. */
function onlyReal(x: Value, real: Value): Value {
  return mul(x, reshape(real, [batch, seq, 1]));
}

const embeddingNames = { ...bertEmbeddingNames, projection: "embeddings.embed_proj" };

/** x [batch, seq, width] and real [batch, seq] → x [batch, seq, width] */
function encoderLayer(layer: EncoderLayerOptions, attention: DisentangledAttentionOptions): Block {
  const { width, deviation } = layer;
  const { relative } = attention;
  return {
    kind: "deberta-v2 layer",
    options: { layer, attention },
    inputs: { x: { dtype: "float32", shape: [batch, seq, width] }, real: realType },
    parameters: {
      ...disentangledAttentionParameters("attention", width, deviation, relative),
      ...afterAttentionParameters(layer),
      ...(relative && relativeParameters(width, deviation, relative)),
    },
    build: (scope) => {
      const { x, real } = scope.inputs;
      return { x: afterAttention(scope, x, disentangledSelfAttention(scope, "attention", x, real, attention), layer) };
    },
  };
}

const layerNames = {
  ...bertLayerNames,
  "attention.query": "attention.self.query_proj",
  "attention.key": "attention.self.key_proj",
  "attention.value": "attention.self.value_proj",
  "attention.position_key": "attention.self.pos_key_proj",
  "attention.position_query": "attention.self.pos_query_proj",
};
/** The table of distances is one for all layers. */
const sharedNames = { "relative.embeddings": "encoder.rel_embeddings", "relative.norm": "encoder.LayerNorm" };

/** v2-xlarge adds a convolution of the embeddings to the first layer's result: `embedded` and x [batch, seq, width] → x. */
function convolution(config: DebertaConfig, dropout: number): Block {
  const { hidden_size: width, conv_kernel_size: kernel, conv_act, layer_norm_eps: epsilon, initializer_range: deviation } = config;
  const states = { dtype: "float32", shape: [batch, seq, width] } as const;
  return {
    kind: "deberta-v2 convolution",
    options: { width, kernel, conv_act, epsilon, deviation, dropout },
    inputs: { embedded: states, x: states, real: realType },
    parameters: {
      "convolution.weight": { shape: [width, width, kernel], initialise: { kind: "normal", deviation }, decay: true },
      "convolution.bias": { shape: [width], initialise: { kind: "zeros" }, decay: false },
      ...normParameters("norm", width),
    },
    build: (scope) => {
      const { embedded, x, real } = scope.inputs;
      const seen = onlyReal(convolved(scope, embedded, width, kernel), real);
      const sum = add(x, convolutionActivations[conv_act](scope.dropout(seen, dropout)));
      return { x: onlyReal(norm(scope, "norm", sum, epsilon), real) };
    },
  };
}

/** torch.nn.Conv1d along the sequence, with its weight [out, in, kernel]: a linear layer of each place's neighbourhood. */
function convolved({ parameters }: BlockScope, x: Value, width: number, kernel: number): Value {
  const neighbourhood = concat(neighbours(x, (kernel - 1) / 2), 2); // [batch, seq, kernel·width]
  const weight = reshape(transpose(parameters["convolution.weight"], [0, 2, 1]), [width, kernel * width]);
  return linear(neighbourhood, weight, parameters["convolution.bias"]);
}

const convolutionNames = { convolution: "conv.conv", norm: "conv.LayerNorm" };

export const debertaV2 = defineModel<DebertaConfig>({
  type: "deberta-v2",
  questionAnswering: "DebertaV2ForQuestionAnswering",
  config: debertaConfig,
  build: (config, overrides) => {
    const prefix = "deberta.";
    const dropout = overrides.hidden ?? config.hidden_dropout_prob;
    const { hidden_size: width, num_hidden_layers: layers, layer_norm_eps: epsilon } = config;
    const terms = 1 + new Set(config.pos_att_type).size;
    const attention: DisentangledAttentionOptions = {
      heads: config.num_attention_heads,
      dropout: overrides.attention ?? config.attention_probs_dropout_prob,
      terms,
      relative: config.relative_attention
        ? {
            span: config.position_buckets ?? distanceRange(config),
            buckets: config.position_buckets,
            range: distanceRange(config),
            longest: config.max_position_embeddings,
            contentToPosition: config.pos_att_type.includes("c2p"),
            positionToContent: config.pos_att_type.includes("p2c"),
            shared: config.share_att_key,
            dropout,
            epsilon: config.norm_rel_ebd.includes("layer_norm") ? epsilon : undefined,
          }
        : undefined,
    };
    const layer: EncoderLayerOptions = {
      width,
      heads: attention.heads,
      intermediate: config.intermediate_size,
      activation: config.hidden_act,
      epsilon,
      dropout,
      attentionDropout: attention.dropout,
      deviation: config.initializer_range,
    };
    const embed = embeddings(config, dropout);
    const block = encoderLayer(layer, attention);
    const isShared = (local: string) => local.startsWith("relative.");
    const pick = (shared: boolean): Declarations =>
      Object.fromEntries(Object.entries(block.parameters).filter(([local]) => isShared(local) === shared));
    const hasConvolution = config.conv_kernel_size > 0;
    const calls = Array.from({ length: layers }, (_, index): Call => ({
      block,
      name: `encoder.layer.${index}`,
      inputs: { x: `x ${index}`, real: "real" },
      outputs: { x: index === 0 && hasConvolution ? "x before convolution" : `x ${index + 1}` },
      parameters: {
        ...checkpointNames(pick(false), `${prefix}encoder.layer.${index}.`, layerNames),
        ...checkpointNames(pick(true), prefix, sharedNames),
      },
    }));
    if (hasConvolution) {
      const convolve = convolution(config, dropout);
      calls.splice(1, 0, {
        block: convolve,
        name: "encoder.conv",
        inputs: { embedded: "x 0", x: "x before convolution", real: "real" },
        outputs: { x: "x 1" },
        parameters: checkpointNames(convolve.parameters, `${prefix}encoder.`, convolutionNames),
      });
    }
    return {
      kind: "encoder",
      network: {
        inputs: embed.inputs,
        calls: [
          {
            block: embed,
            name: "embeddings",
            inputs: Object.fromEntries(Object.keys(embed.inputs).map((name) => [name, name])),
            outputs: { x: "x 0", real: "real" },
            parameters: checkpointNames(embed.parameters, prefix, embeddingNames),
          },
          ...calls,
        ],
      },
      hidden: `x ${layers}`,
      width,
      head: plainHead(`x ${layers}`),
      deviation: config.initializer_range,
      vocabularySize: config.vocab_size,
      maxLength: config.max_position_embeddings,
      padTokenId: config.pad_token_id,
      tokenTypes: config.type_vocab_size > 0 ? config.type_vocab_size : undefined,
      prefix,
    };
  },
  tiny: {
    vocab_size: 99,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
    max_position_embeddings: 64,
    relative_attention: true,
    pos_att_type: ["p2c", "c2p"],
    share_att_key: true,
    norm_rel_ebd: "layer_norm",
  },
});
