/** The architectures there are, by config.json's model_type. A new model is one file and one line here. */
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

/** The definition for a config.json. Throws UNKNOWN_MODEL_TYPE with what is supported. */
export function modelDefinition(config: Readonly<Record<string, unknown>>): ModelDefinition {
  const found = models.find(({ type }) => type === config.model_type);
  if (found !== undefined) return found;
  throw new LecternError("UNKNOWN_MODEL_TYPE", {
    message: "This architecture is not supported.",
    expected: `config.json with model_type ${models.map(({ type }) => type).join(", ")}`,
    received: config.model_type === undefined ? "a config.json without model_type" : `model_type: ${describeValue(config.model_type)}`,
    next: "choose a model of a supported type",
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
