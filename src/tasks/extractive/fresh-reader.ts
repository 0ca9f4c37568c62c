/**
 * A model that nobody has trained, as a folder to start from: an architecture of one's own has no other, and every experiment from scratch
 * needs one.
 */
import { dirname } from "node:path";
import { writeFolderAtomic } from "../../checkpoint/atomic.js";
import { resolveModel } from "../../checkpoint/hub.js";
import { createParameterStore, nativeRuntime, networkParameters } from "../../engine/index.js";
import { makeFolder, requireNewFolder } from "../../files/make-folder.js";
import { buildModel } from "../../models/index.js";
import { freshWeights } from "../../models/weights.js";
import { Tokenizer } from "../../text/tokenizer.js";
import { readerNetwork } from "./head.js";
import { checkTokenizer, saveReader } from "./reader.js";

export interface FreshReaderOptions {
  /** What config.json says: `model_type`, sizes. `vocab_size` is the tokenizer's where it is left out. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Folder or Hub name of the model whose tokenizer it takes; its vocabulary must not be larger than the config's. */
  readonly tokenizer: string;
  /** Decides the weights. Default 42. */
  readonly seed?: number;
}

/**
 * Writes the folder of a reader with fresh weights.
 * @param folder one that does not exist, or is empty
 * @throws LecternError FOLDER_NOT_EMPTY, UNKNOWN_MODEL_TYPE, BAD_MODEL_CONFIG, VOCABULARY_MISMATCH, and those of tokenizers and writing
 * @example
 * await writeFreshReader("models/small", { config: { model_type: "bert", hidden_size: 128, num_attention_heads: 4 }, tokenizer: "bert-base-uncased" });
 * await train({ output_dir: "runs/small" }, { model: "models/small", trainData: rows });
 */
export async function writeFreshReader(folder: string, options: FreshReaderOptions): Promise<void> {
  await requireNewFolder(folder);
  const tokenizer = await Tokenizer.fromFolder(await resolveModel(options.tokenizer));
  const config = { vocab_size: tokenizer.vocabularySize, ...options.config };
  const encoder = buildModel(config);
  await checkTokenizer(folder, tokenizer, encoder);
  const store = createParameterStore(nativeRuntime(), networkParameters(readerNetwork(encoder, { maskPadding: true })), () => false);
  freshWeights(store, options.seed ?? 42);
  await makeFolder(dirname(folder));
  await writeFolderAtomic(folder, (temporary) => saveReader(temporary, { config, tokenizer, store }));
}
