/**
 * What an encoder of BERT's family begins with: the sum of word, position and token-type embeddings, normalised. Where the embeddings are
 * narrower than the layers (ELECTRA, ALBERT), a linear layer leads from the one width to the other.
 */
import type { Block, BlockScope } from "../engine/block/block.js";
import { add, cast, cumulativeSum, equal, iota, mul, not, symbol, type Value } from "../engine/index.js";
import { paddingBias } from "./attention.js";
import { dense, embedding, norm } from "./layers.js";
import { denseParameters, embeddingParameters, normParameters } from "./parameters.js";

export interface TokenEmbeddingsOptions {
  readonly vocabulary: number;
  /** Rows of the table of positions. */
  readonly positions: number;
  /** Kinds of token types; 0 where the model has none. */
  readonly types: number;
  /** Width of the tables. */
  readonly width: number;
  /** Width of the layers, where a linear layer leads to it. */
  readonly projectedWidth?: number;
  /** The padding token, whose embedding is not trained. */
  readonly padding: number;
  /** RoBERTa's rule: positions number the tokens that are not this id, from the id's successor on. Without it they are places. */
  readonly positionsFrom?: number;
  readonly epsilon: number;
  readonly dropout: number;
  /** Standard deviation of fresh weights. */
  readonly deviation: number;
}

const [batch, seq] = [symbol("batch"), symbol("seq")];
const ids = { dtype: "int64", shape: [batch, seq] } as const;

/** input_ids, attention_mask and, where there are types, token_type_ids int64 [batch, seq] → x [batch, seq, width] and the padding bias. */
export function tokenEmbeddings(options: TokenEmbeddingsOptions): Block {
  const { vocabulary, positions, types, width, projectedWidth, padding, epsilon, dropout, deviation } = options;
  return {
    kind: "token embeddings",
    options,
    inputs: { input_ids: ids, attention_mask: ids, ...(types > 0 && { token_type_ids: ids }) },
    parameters: {
      ...embeddingParameters("word", vocabulary, width, deviation),
      ...embeddingParameters("position", positions, width, deviation),
      ...(types > 0 ? embeddingParameters("type", types, width, deviation) : {}),
      ...normParameters("norm", width),
      ...(projectedWidth === undefined ? {} : denseParameters("projection", width, projectedWidth, deviation)),
    },
    build: (scope) => {
      const { input_ids, attention_mask, token_type_ids } = scope.inputs;
      const words = embedding(scope, "word", input_ids, padding);
      const typed = types > 0 ? add(words, embedding(scope, "type", token_type_ids)) : words;
      const sum = add(typed, positionEmbeddings(scope, input_ids, options.positionsFrom));
      const x = scope.dropout(norm(scope, "norm", sum, epsilon), dropout);
      return { x: projectedWidth === undefined ? x : dense(scope, "projection", x), bias: paddingBias(attention_mask) };
    },
  };
}

/** The longest input in tokens that the table of positions is long enough for. */
export function longestInput({ positions, positionsFrom }: TokenEmbeddingsOptions): number {
  return positionsFrom === undefined ? positions : positions - positionsFrom - 1;
}

/** [seq, width] by place; where positions are counted [batch, seq, width], and what is not counted sits at `from` itself, untrained. */
function positionEmbeddings(scope: BlockScope, inputIds: Value, from: number | undefined): Value {
  if (from === undefined) return embedding(scope, "position", iota(seq));
  const counted = cast(not(equal(inputIds, from)), "int64");
  return embedding(scope, "position", add(mul(cumulativeSum(counted, 1), counted), from), from);
}
