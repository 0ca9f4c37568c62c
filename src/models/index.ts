/**
 * The architectures there are, by config.json's model_type: those that are built in, each one file and one line here, and those that a program
 * registers. What a program needs to write one is `lectern/models`, which is this file, beside the ops and blocks of `lectern/engine`.
 */
import { LecternError } from "../errors.js";
import { describeValue } from "../text/describe-value.js";
import { albert } from "./albert.js";
import { bert } from "./bert.js";
import { camembert } from "./camembert.js";
import { debertaV2 } from "./deberta-v2.js";
import type { DropoutOverrides, Encoder, ModelDefinition } from "./define-model.js";
import { distilbert } from "./distilbert.js";
import { electra } from "./electra.js";
import { mobilebert } from "./mobilebert.js";
import { modernbert } from "./modernbert.js";
import { mpnet } from "./mpnet.js";
import { roberta } from "./roberta.js";
import { xlmRoberta } from "./xlm-roberta.js";

export { activationName, bertEmbeddingNames, bertLayerNames } from "./bert.js";
export { layerCount, padTokenId, size } from "./config-fields.js";
export {
  type ConfigSchema,
  defineModel,
  type DropoutOverrides,
  type Encoder,
  type ModelDefinition,
  plainHead,
  type ReaderHead,
} from "./define-model.js";
export { numbered, postNormEncoder, type PostNormEncoderOptions } from "./post-norm-encoder.js";
export { type AttentionOptions, multiHeadAttention, paddingBias, selfAttention } from "../nn/attention.js";
export { afterAttention, afterAttentionParameters, type EncoderLayerOptions, postNormEncoderLayer } from "../nn/encoder-layer.js";
export { gatedFeedForward, type GatedFeedForwardOptions } from "../nn/gated-feed-forward.js";
export { activations, type ActivationName, dense, embedding, norm, scaleAndShift } from "../nn/layers.js";
export { neighbours } from "../nn/neighbours.js";
export { checkpointNames, type Declarations, denseParameters, embeddingParameters, normParameters } from "../nn/parameters.js";
export { rotaryTables, type RotaryOptions, type RotaryTables, rotated } from "../nn/rotary.js";
export { longestInput, tokenEmbeddings, type TokenEmbeddingsOptions } from "../nn/token-embeddings.js";

export const models: readonly ModelDefinition[] = [
  bert,
  distilbert,
  roberta,
  xlmRoberta,
  camembert,
  electra,
  albert,
  mpnet,
  mobilebert,
  modernbert,
  debertaV2,
];

const registered: ModelDefinition[] = [];
const known = (): readonly ModelDefinition[] => [...models, ...registered];

/**
 * Makes an architecture known, by its `type`, to all that opens model folders afterwards: training, evaluation, answering, export.
 * @returns a function that takes it away again
 * @throws LecternError EXTENSION_INVALID where a model of that type is there already
 * @example
 * registerModel(defineModel({ type: "mine", questionAnswering: "MineForQuestionAnswering", config, build }));
 */
export function registerModel(definition: ModelDefinition): () => void {
  const { type } = definition;
  if (typeof type !== "string" || type === "" || known().some((other) => other.type === type)) {
    throw new LecternError("EXTENSION_INVALID", {
      message: `A model of type ${JSON.stringify(type)} cannot be added.`,
      expected: "a type that no other model has",
      received: known().some((other) => other.type === type) ? "the type of a model that is there" : describeValue(type),
      next: "Give it a type of its own, and write the same as model_type into its config.json.",
    });
  }
  registered.push(definition);
  return () => {
    const at = registered.indexOf(definition);
    if (at >= 0) registered.splice(at, 1);
  };
}

/** The definition for a config.json. Throws UNKNOWN_MODEL_TYPE with what is supported. */
export function modelDefinition(config: Readonly<Record<string, unknown>>): ModelDefinition {
  const found = known().find(({ type }) => type === config.model_type);
  if (found !== undefined) return found;
  throw new LecternError("UNKNOWN_MODEL_TYPE", {
    message: "This architecture is not supported.",
    expected: `config.json with model_type ${known().map(({ type }) => type).join(", ")}`,
    received: config.model_type === undefined ? "a config.json without model_type" : `model_type: ${describeValue(config.model_type)}`,
    next: "choose a model of a supported type; one of your own is added with --import FILE, or by the program (docs/extending.md)",
  });
}

/** Builds the network that a config.json describes. Throws BAD_MODEL_CONFIG naming the key that is wrong. */
export function buildModel(config: Readonly<Record<string, unknown>>, overrides: DropoutOverrides = {}): Encoder {
  const definition = modelDefinition(config);
  const parsed = definition.config.safeParse(config);
  const unusable = (expected: string, received: string) =>
    new LecternError("BAD_MODEL_CONFIG", {
      message: `config.json of this ${definition.type} model cannot be used.`,
      expected,
      received,
      next: "check that the model folder is complete and of this type",
    });
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    const value = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], config);
    throw unusable(`${path.join(".") || "the config"}: ${message}`, describeValue(value));
  }
  const encoder = definition.build(parsed.data, overrides);
  if (encoder.padTokenId >= encoder.vocabularySize) {
    throw unusable(`pad_token_id: below vocab_size, which is ${encoder.vocabularySize}`, String(encoder.padTokenId));
  }
  return encoder;
}
