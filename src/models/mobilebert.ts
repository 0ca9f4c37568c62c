/**
 * MobileBERT (Sun et al. 2020): wide hidden states, and layers that work in a narrow bottleneck between two linear layers, with several
 * feed-forward networks and a scale and shift where BERT normalises. Reference implementation: transformers' modeling_mobilebert.
 */
import { z } from "zod";
import type { Block, BlockScope, Call } from "../engine/block/block.js";
import { add, concat, iota, symbol, type Value } from "../engine/index.js";
import { multiHeadAttention, paddingBias } from "../nn/attention.js";
import { activations, dense, embedding, norm, scaleAndShift } from "../nn/layers.js";
import { neighbours } from "../nn/neighbours.js";
import { checkpointNames, type Declarations, denseParameters, embeddingParameters, normParameters } from "../nn/parameters.js";
import { activationName, bertConfig, bertEmbeddingNames, bertLayerNames } from "./bert.js";
import { layerCount, size } from "./config-fields.js";
import { defineModel, type DropoutOverrides, plainHead } from "./define-model.js";
import { numbered } from "./post-norm-encoder.js";

const bottlenecks = z.object({
  hidden_size: size.default(512),
  intra_bottleneck_size: size.default(128),
  use_bottleneck: z.boolean().default(true),
  use_bottleneck_attention: z.boolean().default(false),
  key_query_shared_bottleneck: z.boolean().default(true),
});
type Bottlenecks = z.infer<typeof bottlenecks>;

const mobilebertConfig = bertConfig
  .extend({
    ...bottlenecks.shape,
    vocab_size: size.default(30522),
    embedding_size: size.default(128),
    num_hidden_layers: layerCount.default(24),
    num_attention_heads: size.default(4),
    intermediate_size: size.default(512),
    num_feedforward_networks: layerCount.default(4),
    hidden_act: activationName.default("relu"),
    hidden_dropout_prob: z.number().min(0).max(1).default(0),
    trigram_input: z.boolean().default(true),
    normalization_type: z.enum(["no_norm", "layer_norm"]).default("no_norm"),
  })
  .refine((config) => innerWidth(config) % config.num_attention_heads === 0, {
    path: ["num_attention_heads"],
    error: "must divide the width of the layers: intra_bottleneck_size, without bottleneck hidden_size",
  })
  .refine((config) => attentionSources(config).query !== "x" || innerWidth(config) === config.hidden_size, {
    path: ["key_query_shared_bottleneck"],
    error: "must be true, or use_bottleneck_attention: queries and keys have no other way into the bottleneck",
  })
  .refine(({ num_hidden_layers, num_feedforward_networks }) => layerCount.safeParse(num_hidden_layers * num_feedforward_networks).success, {
    path: ["num_feedforward_networks"],
    error: "must not make more than 1024 networks in all",
  });
type MobilebertConfig = z.infer<typeof mobilebertConfig>;

/** Width of what is inside a layer. */
function innerWidth(config: Bottlenecks): number {
  return config.use_bottleneck ? config.intra_bottleneck_size : config.hidden_size;
}

/** What attention reads: the layer's input x, or what came through a bottleneck. */
type AttentionSource = "x" | "bottleneck.input" | "bottleneck.attention";

/** What queries and keys are made from, and what values are. */
function attentionSources(config: Bottlenecks): { query: AttentionSource; value: AttentionSource } {
  if (!config.use_bottleneck) return { query: "x", value: "x" };
  if (config.use_bottleneck_attention) return { query: "bottleneck.input", value: "bottleneck.input" };
  return { query: config.key_query_shared_bottleneck ? "bottleneck.attention" : "x", value: "x" };
}

/** The epsilon of norms that transformers makes without naming one. */
const unnamedEpsilon = 1e-5;

function normalised(scope: BlockScope, { normalization_type }: MobilebertConfig, name: string, x: Value, epsilon: number): Value {
  return normalization_type === "no_norm" ? scaleAndShift(scope, name, x) : norm(scope, name, x, epsilon);
}

const [batch, seq] = [symbol("batch"), symbol("seq")];
const ids = { dtype: "int64", shape: [batch, seq] } as const;

/**
 * ids [batch, seq] → x [batch, seq, width] and the padding bias. With trigrams the embeddings of the next token, the token and the one before
 * lead to the width: so the last token of a padded row sees padding's embedding, where in a row without padding it sees zeros.
 */
function embeddings(config: MobilebertConfig, dropout: number): Block {
  const { embedding_size: narrow, hidden_size: width, type_vocab_size: types, initializer_range: deviation } = config;
  return {
    kind: "mobilebert embeddings",
    options: { config, dropout },
    inputs: { input_ids: ids, attention_mask: ids, token_type_ids: ids },
    parameters: {
      ...embeddingParameters("word", config.vocab_size, narrow, deviation),
      ...embeddingParameters("position", config.max_position_embeddings, width, deviation),
      ...embeddingParameters("type", types, width, deviation),
      ...denseParameters("transformation", config.trigram_input ? 3 * narrow : narrow, width, deviation),
      ...normParameters("norm", width),
    },
    build: (scope) => {
      const { input_ids, attention_mask, token_type_ids } = scope.inputs;
      const words = embedding(scope, "word", input_ids, config.pad_token_id);
      const read = config.trigram_input ? concat(neighbours(words, 1).reverse(), 2) : words;
      const wide = config.trigram_input || narrow !== width ? dense(scope, "transformation", read) : read;
      const sum = add(add(wide, embedding(scope, "position", iota(seq))), embedding(scope, "type", token_type_ids));
      return { x: scope.dropout(normalised(scope, config, "norm", sum, unnamedEpsilon), dropout), bias: paddingBias(attention_mask) };
    },
  };
}

/** Names of the feed-forward networks: those before the last have one of their own in the checkpoint. */
function feedForwardNames({ num_feedforward_networks: count }: MobilebertConfig): string[] {
  return numbered("feed_forward", count - 1);
}

function layerParameters(config: MobilebertConfig): Declarations {
  const { hidden_size: width, intermediate_size: intermediate, initializer_range: deviation } = config;
  const inner = innerWidth(config);
  const layer = (name: string, inputs: number, outputs: number) => ({
    ...denseParameters(name, inputs, outputs, deviation),
    ...normParameters(`${name}.norm`, outputs),
  });
  const feedForward = (name: string) => ({
    ...denseParameters(`${name}.intermediate`, inner, intermediate, deviation),
    ...layer(`${name}.output`, intermediate, inner),
  });
  return {
    ...(config.use_bottleneck && layer("bottleneck.input", width, inner)),
    // transformers has it wherever it is shared, also where nothing reads it
    ...(config.use_bottleneck && config.key_query_shared_bottleneck && layer("bottleneck.attention", width, inner)),
    ...denseParameters("attention.query", inner, inner, deviation),
    ...denseParameters("attention.key", inner, inner, deviation),
    ...denseParameters("attention.value", config.use_bottleneck_attention ? inner : width, inner, deviation),
    ...layer("attention.output", inner, inner),
    ...feedForwardNames(config).reduce((all, name) => ({ ...all, ...feedForward(name) }), {}),
    ...feedForward("last"),
    ...(config.use_bottleneck && layer("widening", inner, width)),
  };
}

function layerNames(config: MobilebertConfig): Record<string, string> {
  const layer = (name: string, path: string) => ({ [name]: `${path}.dense`, [`${name}.norm`]: `${path}.LayerNorm` });
  const feedForward = (name: string, path: string) => ({
    [`${name}.intermediate`]: `${path}intermediate.dense`,
    ...layer(`${name}.output`, `${path}output`),
  });
  return {
    ...layer("bottleneck.input", "bottleneck.input"),
    ...layer("bottleneck.attention", "bottleneck.attention"),
    "attention.query": bertLayerNames["attention.query"],
    "attention.key": bertLayerNames["attention.key"],
    "attention.value": bertLayerNames["attention.value"],
    ...layer("attention.output", "attention.output"),
    ...feedForwardNames(config).reduce((all, name, index) => ({ ...all, ...feedForward(name, `ffn.${index}.`) }), {}),
    ...feedForward("last", ""),
    ...layer("widening", "output.bottleneck"),
  };
}

/** x [batch, seq, width] and bias [batch, 1, 1, seq] → x */
function encoderLayer(config: MobilebertConfig, dropout: number, attentionDropout: number): Block {
  const { hidden_size: width, layer_norm_eps: epsilon, use_bottleneck, num_attention_heads: heads } = config;
  const activation = activations[config.hidden_act];
  const innerDropout = use_bottleneck ? 0 : dropout; // inside of a bottleneck transformers drops attention's weights alone
  return {
    kind: "mobilebert layer",
    options: { config, dropout, attentionDropout },
    inputs: { x: { dtype: "float32", shape: [batch, seq, width] }, bias: { dtype: "float32", shape: [batch, 1, 1, seq] } },
    parameters: layerParameters(config),
    build: (scope) => {
      const { x, bias } = scope.inputs;
      const normed = (name: string, sum: Value, eps = epsilon) => normalised(scope, config, `${name}.norm`, sum, eps);
      const narrowed = (name: string) => normed(name, dense(scope, name, x));
      const feedForward = (name: string, input: Value, rate: number, eps?: number) => {
        const grown = dense(scope, `${name}.output`, activation(dense(scope, `${name}.intermediate`, input)));
        return normed(`${name}.output`, add(scope.dropout(grown, rate), input), eps);
      };
      const narrow = use_bottleneck ? narrowed("bottleneck.input") : x;
      const sources = attentionSources(config);
      const [asked, told] = [sources.query, sources.value].map((source) =>
        source === "x" ? x : source === "bottleneck.input" ? narrow : narrowed(source),
      );
      const projected = {
        query: dense(scope, "attention.query", asked),
        key: dense(scope, "attention.key", asked),
        value: dense(scope, "attention.value", told),
      };
      const context = multiHeadAttention(scope, projected, bias, { heads, dropout: attentionDropout });
      const attended = normed("attention.output", add(scope.dropout(dense(scope, "attention.output", context), innerDropout), narrow));
      const middle = feedForwardNames(config).reduce((value, name) => feedForward(name, value, 0), attended);
      const last = feedForward("last", middle, innerDropout, unnamedEpsilon);
      return { x: use_bottleneck ? normed("widening", add(scope.dropout(dense(scope, "widening", last), dropout), x)) : last };
    },
  };
}

function dropoutsOf(config: MobilebertConfig, { hidden, attention }: DropoutOverrides): [hidden: number, attention: number] {
  return [hidden ?? config.hidden_dropout_prob, attention ?? config.attention_probs_dropout_prob];
}

export const mobilebert = defineModel({
  type: "mobilebert",
  questionAnswering: "MobileBertForQuestionAnswering",
  config: mobilebertConfig,
  build: (config, overrides) => {
    const prefix = "mobilebert.";
    const [dropout, attentionDropout] = dropoutsOf(config, overrides);
    const embed = embeddings(config, dropout);
    const block = encoderLayer(config, dropout, attentionDropout);
    const paths = numbered("encoder.layer", config.num_hidden_layers);
    const names = layerNames(config);
    const hidden = `x ${paths.length}`;
    return {
      kind: "encoder",
      network: {
        inputs: embed.inputs,
        calls: [
          {
            block: embed,
            name: "embeddings",
            inputs: { input_ids: "input_ids", attention_mask: "attention_mask", token_type_ids: "token_type_ids" },
            outputs: { x: "x 0", bias: "bias" },
            parameters: checkpointNames(embed.parameters, prefix, {
              ...bertEmbeddingNames,
              transformation: "embeddings.embedding_transformation",
            }),
          },
          ...paths.map((path, index): Call => ({
            block,
            name: path,
            inputs: { x: `x ${index}`, bias: "bias" },
            outputs: { x: `x ${index + 1}` },
            parameters: checkpointNames(block.parameters, `${prefix}${path}.`, names),
          })),
        ],
      },
      hidden,
      width: config.hidden_size,
      head: plainHead(hidden),
      deviation: config.initializer_range,
      vocabularySize: config.vocab_size,
      maxLength: config.max_position_embeddings,
      padTokenId: config.pad_token_id,
      tokenTypes: config.type_vocab_size,
      prefix,
    };
  },
  tiny: {
    vocab_size: 99,
    embedding_size: 12,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
    intra_bottleneck_size: 24,
    num_feedforward_networks: 2,
    hidden_dropout_prob: 0.1,
    max_position_embeddings: 64,
    trigram_input: true,
    use_bottleneck: true,
    use_bottleneck_attention: false,
    key_query_shared_bottleneck: true,
  },
});
