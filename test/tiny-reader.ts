/**
 * Tiny checkpoints with a real tokenizer: two layers of width 16 under the bundled model's vocabulary, random weights. Small enough
 * to train in milliseconds, whole enough for every path from the command line to the runtime.
 */
import { copyFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { saveModelFolder } from "../src/checkpoint/model-folder.js";
import { networkParameters } from "../src/engine/block/block.js";
import { randomGenerator } from "../src/engine/random.js";
import { buildModel, models } from "../src/models/index.js";
import { readerNetwork } from "../src/tasks/extractive/head.js";

/** The folder of the bundled base model and data. */
export const starter = fileURLToPath(new URL("../starter/", import.meta.url));
const tokenizerFiles = ["tokenizer.json", "tokenizer_config.json"];

/** Of models without an entry, the definition's `tiny` is taken. */
const sizes: Record<string, Record<string, unknown>> = {
  bert: { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32 },
  roberta: { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, pad_token_id: 0 },
  "xlm-roberta": { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, pad_token_id: 0 },
  camembert: { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, pad_token_id: 0 },
  albert: { embedding_size: 12, hidden_size: 16, num_hidden_layers: 3, num_attention_heads: 2, intermediate_size: 32 },
  mpnet: { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, pad_token_id: 0 },
  electra: { embedding_size: 12, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32 },
  "deberta-v2": {
    ...{ hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 32, position_buckets: 8, share_att_key: true },
    ...{ relative_attention: true, pos_att_type: ["p2c", "c2p"], norm_rel_ebd: "layer_norm", position_biased_input: false },
  },
  distilbert: { dim: 16, n_layers: 2, n_heads: 2, hidden_dim: 32 },
};

export interface TinyReaderOptions {
  /** bert by default. */
  type?: string;
  /** Keys of config.json that differ. */
  config?: Record<string, unknown>;
  /** Which parameters the checkpoint holds; all by default. */
  holds?: (name: string) => boolean;
  /** What a parameter is called in the checkpoint. */
  rename?: (name: string) => string;
  seed?: number;
  /** Paths of the tokenizer's files; the bundled model's by default. */
  tokenizer?: readonly string[];
}

/** DeBERTa's kind of tokenizer, 601 tokens in an spm.model alone (reference/make_sentencepiece_goldens.py). */
export const sentencePieceModel = fileURLToPath(new URL("./sentencepiece/spm.model", import.meta.url));

/** Writes a model folder; returns it. */
export async function writeTinyReader(folder: string, options: TinyReaderOptions = {}): Promise<string> {
  const { type = "bert", holds = () => true, rename = (name) => name, seed = 1 } = options;
  const own = sizes[type] ?? models.find((definition) => definition.type === type)?.tiny;
  const config = { model_type: type, ...own, vocab_size: 30522, max_position_embeddings: 128, ...options.config };
  const parameters = networkParameters(readerNetwork(buildModel(config), { maskPadding: true }));
  const tensors = [...parameters].flatMap(([name, { shape, initialise }], stream) => {
    if (!holds(name)) return [];
    const random = randomGenerator(seed, stream);
    const mean = initialise.kind === "ones" ? 1 : 0;
    const count = shape.reduce((product, size) => product * size, 1);
    return [
      {
        name: rename(name),
        dtype: "F32" as const,
        shape: [...shape],
        data: Float32Array.from({ length: count }, () => mean + 0.2 * random.normal()),
      },
    ];
  });
  const files = (options.tokenizer ?? tokenizerFiles.map((name) => join(starter, "minilm-l6", name))).map((path) => ({
    name: basename(path),
    path,
  }));
  await saveModelFolder(folder, { config, tensors, files });
  return folder;
}

/** Copies the tokenizer alone, to a folder that a test fills itself. */
export async function copyTokenizer(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of tokenizerFiles) await copyFile(join(starter, "minilm-l6", name), join(folder, name));
}
