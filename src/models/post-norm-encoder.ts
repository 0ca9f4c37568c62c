/** Encoders of BERT's family: token embeddings, then post-norm layers. Their models differ in sizes, names, and what is shared. */
import type { Call } from "../engine/block/block.js";
import { type EncoderLayerOptions, postNormEncoderLayer } from "../nn/encoder-layer.js";
import { checkpointNames } from "../nn/parameters.js";
import { relativeBias, type RelativeBiasOptions } from "../nn/relative-bias.js";
import { longestInput, tokenEmbeddings, type TokenEmbeddingsOptions } from "../nn/token-embeddings.js";
import { type Encoder, plainHead } from "./define-model.js";

export interface PostNormEncoderOptions {
  /** Path under which full models hold the encoder (`bert.`). */
  readonly prefix: string;
  readonly embeddings: TokenEmbeddingsOptions;
  /** Layer of the embeddings' block → its path in the checkpoint. */
  readonly embeddingNames: Readonly<Record<string, string>>;
  readonly layer: EncoderLayerOptions;
  /** Where the checkpoint has each layer, from the first to the last; layers of one path share their parameters. */
  readonly layerPaths: readonly string[];
  /** Part of a layer's block → its path in the layer. */
  readonly layerNames: Readonly<Record<string, string>>;
  /** The bias of distances that the layers read, where they are relative, and the table's path in the checkpoint. */
  readonly distances?: { readonly bias: RelativeBiasOptions; readonly path: string };
  /** Dropout before a question-answering head. */
  readonly headDropout: number;
  /** The id that batches are padded with. */
  readonly padTokenId: number;
}

/** `path.0`, `path.1`, … */
export function numbered(path: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${path}.${index}`);
}

export function postNormEncoder(options: PostNormEncoderOptions): Encoder {
  const { prefix, embeddings, layer, layerPaths } = options;
  const embed = tokenEmbeddings(embeddings);
  const block = postNormEncoderLayer({ ...layer, ...(options.distances && { relative: true }) });
  const hidden = `x ${layerPaths.length}`;
  const calls = layerPaths.map((path, index): Call => ({
    block,
    name: layerPaths.indexOf(path) === index ? path : `${path}, layer ${index}`,
    inputs: { x: `x ${index}`, bias: "bias", ...(options.distances && { distances: "distances" }) },
    outputs: { x: `x ${index + 1}` },
    parameters: checkpointNames(block.parameters, `${prefix}${path}.`, options.layerNames),
  }));
  return {
    kind: "encoder",
    network: {
      inputs: embed.inputs,
      calls: [
        {
          block: embed,
          name: "embeddings",
          inputs: Object.fromEntries(Object.keys(embed.inputs).map((name) => [name, name])),
          outputs: { x: "x 0", bias: "bias" },
          parameters: checkpointNames(embed.parameters, prefix, options.embeddingNames),
        },
        ...(options.distances === undefined ? [] : [distanceCall(options.distances, prefix)]),
        ...calls,
      ],
    },
    hidden,
    width: layer.width,
    head: plainHead(hidden, options.headDropout),
    deviation: layer.deviation,
    vocabularySize: embeddings.vocabulary,
    maxLength: longestInput(embeddings),
    padTokenId: options.padTokenId,
    tokenTypes: embeddings.types > 0 ? embeddings.types : undefined,
    prefix,
  };
}

function distanceCall({ bias, path }: NonNullable<PostNormEncoderOptions["distances"]>, prefix: string): Call {
  const block = relativeBias(bias);
  return {
    block,
    name: path,
    inputs: { attention_mask: "attention_mask" },
    outputs: { distances: "distances" },
    parameters: checkpointNames(block.parameters, prefix, { table: path }),
  };
}
