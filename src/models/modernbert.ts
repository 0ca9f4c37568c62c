/**
 * ModernBERT (Warner et al. 2024): pre-norm layers with rotary positions and a gated feed-forward, of which most see a window of the sequence
 * and every third all of it. Reference implementation: transformers' modeling_modernbert.
 */
import { z } from "zod";
import type { Block, Call } from "../engine/block/block.js";
import { add, and, cast, iota, maskBias, reshape, split, symbol, windowMask } from "../engine/index.js";
import { multiHeadAttention, paddingBias } from "../nn/attention.js";
import { gatedFeedForward } from "../nn/gated-feed-forward.js";
import { activations, dense, embedding, norm } from "../nn/layers.js";
import { checkpointNames, denseParameters, embeddingParameters, normParameters } from "../nn/parameters.js";
import { rotaryTables } from "../nn/rotary.js";
import { activationName, headsDivideWidth } from "./bert.js";
import { layerCount, padTokenId, size } from "./config-fields.js";
import { defineModel, type DropoutOverrides, type ReaderHead } from "./define-model.js";

const rate = z.number().min(0).max(1).default(0);
const layerKind = z.enum(["full_attention", "sliding_attention"]);
type LayerKind = z.infer<typeof layerKind>;
const rope = z.object({ rope_type: z.literal("default").default("default"), rope_theta: z.number().positive().optional() }).nullish();

/** transformers 4 wrote the rule of the layers and two angles, transformers 5 writes the list of layers and `rope_parameters`: both are read. */
const modernbertConfig = z
  .object({
    vocab_size: size.default(50368),
    hidden_size: size.default(768),
    intermediate_size: size.default(1152),
    num_hidden_layers: layerCount.default(22),
    num_attention_heads: size.default(12),
    hidden_activation: activationName.default("gelu"),
    max_position_embeddings: size.default(8192),
    initializer_range: z.number().positive().default(0.02),
    norm_eps: z.number().positive().default(1e-5),
    norm_bias: z.boolean().default(false),
    pad_token_id: padTokenId(50283),
    attention_bias: z.boolean().default(false),
    attention_dropout: rate,
    layer_types: z.array(layerKind).nullish(),
    global_attn_every_n_layers: layerCount.default(3),
    rope_parameters: z.object({ full_attention: rope, sliding_attention: rope }).nullish(),
    rope_scaling: z.null().optional(),
    global_rope_theta: z.number().positive().default(160_000),
    local_rope_theta: z.number().positive().nullable().default(10_000),
    local_attention: size.default(128),
    embedding_dropout: rate,
    mlp_bias: z.boolean().default(false),
    mlp_dropout: rate,
    classifier_dropout: rate,
    classifier_bias: z.boolean().default(false),
    classifier_activation: activationName.default("gelu"),
  })
  .refine(...headsDivideWidth)
  .refine(({ hidden_size, num_attention_heads }) => (hidden_size / num_attention_heads) % 2 === 0, {
    path: ["num_attention_heads"],
    error: "must leave each head an even width: rotary positions turn pairs",
  })
  .refine(({ layer_types, num_hidden_layers }) => !layer_types || layer_types.length === num_hidden_layers, {
    path: ["layer_types"],
    error: "must name num_hidden_layers layers",
  });
type ModernbertConfig = z.infer<typeof modernbertConfig>;

function layerKinds({ layer_types, num_hidden_layers, global_attn_every_n_layers: every }: ModernbertConfig): readonly LayerKind[] {
  return layer_types ?? Array.from({ length: num_hidden_layers }, (_, index) => (index % every === 0 ? "full_attention" : "sliding_attention"));
}

function thetaOf(config: ModernbertConfig, kind: LayerKind): number {
  const own = config.rope_parameters?.[kind]?.rope_theta;
  return own ?? (kind === "full_attention" ? config.global_rope_theta : (config.local_rope_theta ?? thetaOf(config, "full_attention")));
}

interface Dropouts {
  readonly embedding: number;
  readonly attention: number;
  readonly feedForward: number;
  readonly classifier: number;
}

/** A recipe's rate of hidden layers is that of all that is not attention. */
function dropoutsOf(config: ModernbertConfig, { hidden, attention }: DropoutOverrides): Dropouts {
  return {
    embedding: hidden ?? config.embedding_dropout,
    attention: attention ?? config.attention_dropout,
    feedForward: hidden ?? config.mlp_dropout,
    classifier: hidden ?? config.classifier_dropout,
  };
}

const [batch, seq] = [symbol("batch"), symbol("seq")];
const ids = { dtype: "int64", shape: [batch, seq] } as const;
const statesOf = (width: number) => ({ dtype: "float32", shape: [batch, seq, width] }) as const;

/** ids [batch, seq] → x [batch, seq, width] */
function embeddings(config: ModernbertConfig, dropout: number): Block {
  const { vocab_size, hidden_size: width, norm_bias, norm_eps, pad_token_id, initializer_range: deviation } = config;
  return {
    kind: "modernbert embeddings",
    options: { vocab_size, width, norm_bias, norm_eps, pad_token_id, deviation, dropout },
    inputs: { input_ids: ids },
    parameters: { ...embeddingParameters("word", vocab_size, width, deviation), ...normParameters("norm", width, norm_bias) },
    build: (scope) => {
      const words = embedding(scope, "word", scope.inputs.input_ids, pad_token_id);
      return { x: scope.dropout(norm(scope, "norm", words, norm_eps), dropout) };
    },
  };
}

/**
 * What the layers of one kind know of places: bias [batch, 1, 1, seq], for windows [batch, 1, seq, seq], and the rotary tables. Where padding
 * sees no token at all it sees everything alike, as in transformers: nothing real reads it, but a loss over all positions does.
 */
function places(config: ModernbertConfig, kind: LayerKind): Block {
  const head = config.hidden_size / config.num_attention_heads;
  const theta = thetaOf(config, kind);
  const reach = Math.floor(config.local_attention / 2);
  return {
    kind: `modernbert ${kind} places`,
    options: { head, theta, reach },
    inputs: { attention_mask: ids },
    parameters: {},
    build: ({ inputs: { attention_mask } }) => {
      const real = reshape(cast(attention_mask, "bool"), [batch, 1, 1, seq]);
      const seen = and(windowMask(seq, seq, { before: reach, after: reach }), real); // [batch, 1, seq, seq]
      const bias = kind === "full_attention" ? paddingBias(attention_mask) : maskBias(seen);
      return { bias, ...rotaryTables(iota(seq), { head, theta }) };
    },
  };
}

/** x [batch, seq, width] and what its kind knows of places → x. The first layer has no norm before attention: the embeddings are normalised. */
function encoderLayer(config: ModernbertConfig, kind: LayerKind, first: boolean, dropouts: Dropouts): Block {
  const { hidden_size: width, num_attention_heads: heads, intermediate_size: intermediate, norm_eps: epsilon, norm_bias } = config;
  const { attention_bias, mlp_bias, hidden_activation: activation, initializer_range: deviation } = config;
  const narrowed = deviation / Math.sqrt(2 * config.num_hidden_layers);
  const table = { dtype: "float32", shape: [seq, width / heads / 2] } as const;
  return {
    kind: "modernbert layer",
    options: { width, heads, intermediate, epsilon, norm_bias, attention_bias, mlp_bias, activation, deviation, narrowed, kind, first, dropouts },
    inputs: {
      x: statesOf(width),
      bias: { dtype: "float32", shape: [batch, 1, kind === "full_attention" ? 1 : seq, seq] },
      cosines: table,
      sines: table,
    },
    parameters: {
      ...(first ? {} : normParameters("attention.norm", width, norm_bias)),
      ...denseParameters("attention.joined", width, 3 * width, deviation, attention_bias),
      ...denseParameters("attention.output", width, width, narrowed, attention_bias),
      ...normParameters("norm", width, norm_bias),
      ...denseParameters("feed_forward.input", width, 2 * intermediate, deviation, mlp_bias),
      ...denseParameters("feed_forward.output", intermediate, width, narrowed, mlp_bias),
    },
    build: (scope) => {
      const { x, bias, cosines, sines } = scope.inputs;
      const projected = dense(scope, "attention.joined", first ? x : norm(scope, "attention.norm", x, epsilon));
      const [query, key, value] = split(projected, [width, width, width], 2);
      const rotary = { cosines, sines };
      const context = multiHeadAttention(scope, { query, key, value }, bias, { heads, dropout: dropouts.attention, rotary });
      const attended = add(x, scope.dropout(dense(scope, "attention.output", context), dropouts.attention));
      const options = { intermediate, activation, dropout: dropouts.feedForward };
      return { x: add(attended, gatedFeedForward(scope, "feed_forward", norm(scope, "norm", attended, epsilon), options)) };
    },
  };
}

const layerNames = {
  "attention.norm": "attn_norm",
  "attention.joined": "attn.Wqkv",
  "attention.output": "attn.Wo",
  norm: "mlp_norm",
  "feed_forward.input": "mlp.Wi",
  "feed_forward.output": "mlp.Wo",
};

/** The norm behind the last layer: x → x. */
function finalNorm({ hidden_size: width, norm_bias, norm_eps }: ModernbertConfig): Block {
  return {
    kind: "modernbert final norm",
    options: { width, norm_bias, norm_eps },
    inputs: { x: statesOf(width) },
    parameters: normParameters("norm", width, norm_bias),
    build: (scope) => ({ x: norm(scope, "norm", scope.inputs.x, norm_eps) }),
  };
}

/** ModernBertPredictionHead, which every class with a head has: x → x. */
function predictionHead(config: ModernbertConfig): Block {
  const { hidden_size: width, norm_bias, norm_eps, classifier_bias, classifier_activation: activation } = config;
  const deviation = config.initializer_range / Math.sqrt(2 * config.num_hidden_layers);
  return {
    kind: "modernbert prediction head",
    options: { width, norm_bias, norm_eps, classifier_bias, activation, deviation },
    inputs: { x: statesOf(width) },
    parameters: { ...denseParameters("dense", width, width, deviation, classifier_bias), ...normParameters("norm", width, norm_bias) },
    build: (scope) => ({ x: norm(scope, "norm", activations[activation](dense(scope, "dense", scope.inputs.x)), norm_eps) }),
  };
}

function readerHead(config: ModernbertConfig, hidden: string, dropout: number): ReaderHead {
  const block = predictionHead(config);
  const reads = "x of the prediction head";
  const parameters = checkpointNames(block.parameters, "head.", { dense: "dense", norm: "norm" });
  return { calls: [{ block, name: "head", inputs: { x: hidden }, outputs: { x: reads }, parameters }], reads, output: "classifier", dropout };
}

export const modernbert = defineModel({
  type: "modernbert",
  questionAnswering: "ModernBertForQuestionAnswering",
  config: modernbertConfig,
  build: (config, overrides) => {
    const prefix = "model.";
    const hidden = "normalised x";
    const dropouts = dropoutsOf(config, overrides);
    const kinds = layerKinds(config);
    const embed = embeddings(config, dropouts.embedding);
    const last = finalNorm(config);
    const tablesOf = (kind: LayerKind) => ({ bias: `bias, ${kind}`, cosines: `cosines, ${kind}`, sines: `sines, ${kind}` });
    const layers = kinds.map((kind, index): Call => {
      const block = encoderLayer(config, kind, index === 0, dropouts);
      return {
        block,
        name: `layers.${index}`,
        inputs: { x: `x ${index}`, ...tablesOf(kind) },
        outputs: { x: `x ${index + 1}` },
        parameters: checkpointNames(block.parameters, `${prefix}layers.${index}.`, layerNames),
      };
    });
    return {
      kind: "encoder",
      network: {
        inputs: { input_ids: ids, attention_mask: ids },
        calls: [
          {
            block: embed,
            name: "embeddings",
            inputs: { input_ids: "input_ids" },
            outputs: { x: "x 0" },
            parameters: checkpointNames(embed.parameters, prefix, { word: "embeddings.tok_embeddings", norm: "embeddings.norm" }),
          },
          ...[...new Set(kinds)].map((kind): Call => ({
            block: places(config, kind),
            name: `places, ${kind}`,
            inputs: { attention_mask: "attention_mask" },
            outputs: tablesOf(kind),
            parameters: {},
          })),
          ...layers,
          {
            block: last,
            name: "final_norm",
            inputs: { x: `x ${kinds.length}` },
            outputs: { x: hidden },
            parameters: checkpointNames(last.parameters, prefix, { norm: "final_norm" }),
          },
        ],
      },
      hidden,
      width: config.hidden_size,
      head: readerHead(config, hidden, dropouts.classifier),
      deviation: config.initializer_range,
      vocabularySize: config.vocab_size,
      maxLength: config.max_position_embeddings,
      padTokenId: config.pad_token_id,
      tokenTypes: undefined,
      prefix,
    };
  },
  tiny: {
    vocab_size: 99,
    hidden_size: 32,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    intermediate_size: 37,
    max_position_embeddings: 64,
    local_attention: 6,
    global_attn_every_n_layers: 2,
    attention_dropout: 0.1,
    mlp_dropout: 0.1,
    pad_token_id: 0,
  },
});
