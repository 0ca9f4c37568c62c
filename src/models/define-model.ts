/** What an architecture's file declares: how its config.json is read and which blocks make its network. */
import type { Call, Network } from "../engine/block/block.js";

/** What transformers' class with a question-answering head puts behind an encoder. */
export interface ReaderHead {
  /** Calls between the last hidden states and the layer of the two logits; none in most models. */
  readonly calls: readonly Call[];
  /** The tensor [batch, seq, width] that the layer reads. */
  readonly reads: string;
  /** The layer's name in checkpoints. */
  readonly output: string;
  /** Dropout before the layer. */
  readonly dropout: number;
}

/** The head that most models have: one layer, `qa_outputs`, of the last hidden states. */
export function plainHead(hidden: string, dropout = 0): ReaderHead {
  return { calls: [], reads: hidden, output: "qa_outputs", dropout };
}

/** An encoder without a head: tasks add their own call behind `hidden`. */
export interface Encoder {
  readonly kind: "encoder";
  readonly network: Network;
  /** The network's tensor of last hidden states [batch, seq, width]. */
  readonly hidden: string;
  readonly width: number;
  readonly head: ReaderHead;
  /** Standard deviation of fresh weights. */
  readonly deviation: number;
  readonly vocabularySize: number;
  /** Longest input in tokens. */
  readonly maxLength: number;
  readonly padTokenId: number;
  /** Whether the network reads token_type_ids, and how many kinds there are. */
  readonly tokenTypes: number | undefined;
  /** Path under which full models hold this encoder (`bert.`); checkpoints of the bare encoder leave it out. */
  readonly prefix: string;
}

/** What reads a config.json: any object schema of Zod is one. */
export interface ConfigSchema<Config> {
  safeParse(config: unknown):
    | { readonly success: true; readonly data: Config }
    | { readonly success: false; readonly error: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] } };
}

export interface ModelDefinition<Config = unknown> {
  /** `model_type` of config.json. */
  readonly type: string;
  /** Name of the class with a question-answering head, for `architectures` in config.json. */
  readonly questionAnswering: string;
  readonly config: ConfigSchema<Config>;
  readonly build: (config: Config, overrides: DropoutOverrides) => Encoder;
  /** A small configuration for the contract tests; a model that is registered from outside needs none. */
  readonly tiny?: Record<string, unknown>;
}

/** Dropout rates of a recipe, in place of config.json's. */
export interface DropoutOverrides {
  readonly hidden?: number;
  readonly attention?: number;
}

/**
 * Declares an architecture; `registerModel` makes it known.
 * @example
 * export const bert = defineModel<BertConfig>({ type: "bert", questionAnswering: "BertForQuestionAnswering", config, build });
 */
export function defineModel<Config>(definition: ModelDefinition<Config>): ModelDefinition {
  return definition as unknown as ModelDefinition;
}
