/** An extractive reader in memory: model folder, tokenizer, network and parameters, for training and for answering. */
import { basename } from "node:path";
import { openModelFolder, readModelConfig, saveModelFolder } from "../../checkpoint/model-folder.js";
import { hasWeights } from "../../checkpoint/weight-files.js";
import {
  createInferenceExecutor,
  createParameterStore,
  type InferenceExecutor,
  type Network,
  networkParameters,
  type ParameterStore,
  type Runtime,
} from "../../engine/index.js";
import { LecternError } from "../../errors.js";
import type { DropoutOverrides, Encoder } from "../../models/define-model.js";
import { buildModel, modelDefinition } from "../../models/index.js";
import { checkWeights, loadWeights, type WeightNames } from "../../models/weights.js";
import { Tokenizer } from "../../text/tokenizer.js";
import { type HeadOptions, readerNetwork } from "./head.js";
import { createOnnxInference, onnxFiles, openOnnxFile, type OnnxReaderFile } from "./onnx-reader.js";

export interface Reader {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: Tokenizer;
  readonly encoder: Encoder;
  readonly network: Network;
  readonly store: ParameterStore;
  /** Whether padding is left out of the loss. */
  readonly maskPadding: boolean;
  /** What the checkpoint lacks, and what of it is not used. */
  readonly loaded: WeightNames;
  /** The ONNX file that is run in place of the network, whose store is then empty. */
  readonly onnx?: OnnxReaderFile;
}

export interface ReaderOptions extends HeadOptions {
  /** Initialises what the checkpoint lacks: the head of a model that was no reader yet. */
  readonly seed: number;
  /** Which parameters are trained; none by default. */
  readonly trainable?: (name: string) => boolean;
  readonly dropout?: DropoutOverrides;
  /** Run this ONNX file of the folder (`model_quantized`) and not its network: without it, only a folder that has nothing else. */
  readonly onnxFile?: string;
}

/** A reader whose weights are still in their file: config, tokenizer and the weights' names and shapes are checked. */
export interface UnreadReader {
  readonly reader: Reader;
  /** Reads the weights; nothing can be computed before. */
  readWeights(): void;
  /** Closes the file of the weights. */
  close(): void;
}

/**
 * Loads a model folder as a reader: its weights, or where it has none (or `onnxFile` says so) one of its ONNX files, for answering only.
 * @throws those of `openUnreadReader`
 */
export async function openReader(runtime: Runtime, folder: string, options: ReaderOptions): Promise<Reader> {
  const unread = await openUnreadReader(runtime, folder, options);
  try {
    unread.readWeights();
    return unread.reader;
  } finally {
    unread.close();
  }
}

/**
 * Opens a model folder as a reader without reading its weights, which are most of what there is to read.
 * @throws LecternError UNKNOWN_MODEL_TYPE, BAD_MODEL_CONFIG, WEIGHTS_UNMATCHED, WEIGHT_SHAPE_MISMATCH, VOCABULARY_MISMATCH, ONNX_FILE_UNKNOWN, ONNX_CORRUPT,
 *   ONNX_NOT_A_READER, and those of opening files
 */
export async function openUnreadReader(runtime: Runtime, folder: string, options: ReaderOptions): Promise<UnreadReader> {
  const exported = options.trainable === undefined && !hasWeights(folder) && (await onnxFiles(folder)).size > 0;
  if (options.onnxFile !== undefined || exported) return openExportedReader(runtime, folder, options);
  const { config, weights } = await openModelFolder(folder);
  try {
    const encoder = buildModel(config, options.dropout);
    const tokenizer = await Tokenizer.fromFolder(folder);
    await checkTokenizer(folder, tokenizer, encoder);
    const network = readerNetwork(encoder, options);
    const loaded = checkWeights(networkParameters(network), weights, encoder.prefix);
    const store = createParameterStore(runtime, networkParameters(network), options.trainable ?? (() => false));
    return {
      reader: { config, tokenizer, encoder, network, store, maskPadding: options.maskPadding, loaded },
      readWeights: () => loadWeights(store, weights, { prefix: encoder.prefix, seed: options.seed }),
      close: () => weights.close(),
    };
  } catch (error) {
    weights.close();
    throw error;
  }
}

async function openExportedReader(runtime: Runtime, folder: string, options: ReaderOptions): Promise<UnreadReader> {
  const config = await readModelConfig(folder);
  const encoder = buildModel(config);
  const tokenizer = await Tokenizer.fromFolder(folder);
  await checkTokenizer(folder, tokenizer, encoder);
  const onnx = await openOnnxFile(folder, options.onnxFile);
  const store = createParameterStore(runtime, new Map(), () => false);
  const loaded = { missing: [], unused: [], wrappers: [] };
  const { maskPadding } = options;
  const reader = { config, tokenizer, encoder, network: readerNetwork(encoder, options), store, maskPadding, loaded, onnx };
  return { reader, readWeights: () => undefined, close: () => undefined };
}

/** A program that computes start_logits, end_logits and loss from the reader's parameters as they are at each run, or with its ONNX file. */
export function createReaderInference(runtime: Runtime, { network, store, maskPadding, onnx }: Reader): Promise<InferenceExecutor> {
  if (onnx !== undefined) return createOnnxInference(runtime, onnx, { maskPadding });
  return createInferenceExecutor(runtime, network, store, ["start_logits", "end_logits", "loss"]);
}

/** Writes the reader as a model folder that transformers loads as a question-answering model without a missing or unexpected key. */
export async function saveReader(folder: string, { config, tokenizer, store }: Pick<Reader, "config" | "tokenizer" | "store">): Promise<void> {
  const { _name_or_path: _origin, dtype: _dtype, torch_dtype: _torchDtype, ...kept } = config;
  await saveModelFolder(folder, {
    config: { ...kept, architectures: [modelDefinition(config).questionAnswering], torch_dtype: "float32" },
    tensors: [...store.parameters.values()].map(({ name, declaration, tensor }) => ({
      name,
      dtype: "F32" as const,
      shape: [...declaration.shape],
      data: tensor.data as Float32Array,
    })),
    files: tokenizer.files,
  });
}

/** What to tell of a checkpoint whose names were found behind those of a wrapper. */
export function describeWrappers(folder: string, { wrappers }: Pick<WeightNames, "wrappers">): string[] {
  return wrappers.map((path) => `names of weights in ${basename(folder)} begin with ${JSON.stringify(path)}: taken off`);
}

/** What to tell a person of a loaded checkpoint: once, and briefly. */
export function describeLoading(folder: string, loaded: WeightNames): string[] {
  const { missing, unused } = loaded;
  const list = (names: readonly string[]) =>
    names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
  return [
    ...describeWrappers(folder, loaded),
    ...(missing.length > 0 ? [`not in ${basename(folder)}, initialised from the seed: ${list(missing)}`] : []),
    ...(unused.length > 0 ? [`in ${basename(folder)}, not used by a reader: ${list(unused)}`] : []),
  ];
}

/** Ids that a model has no embedding for would fail in the middle of its first batch. */
export async function checkTokenizer(folder: string, tokenizer: Tokenizer, { vocabularySize, tokenTypes }: Encoder): Promise<void> {
  const mismatch = (expected: string, received: string) =>
    new LecternError("VOCABULARY_MISMATCH", {
      message: `Tokenizer and model in ${folder} do not belong together.`,
      expected,
      received,
      next: "take tokenizer.json from the model's own folder",
    });
  if (tokenizer.vocabularySize > vocabularySize) {
    throw mismatch(
      `token ids below the model's vocab_size of ${vocabularySize}`,
      `a tokenizer with ids up to ${tokenizer.vocabularySize - 1}`,
    );
  }
  if (tokenTypes === undefined) return;
  const [[window]] = await tokenizer.encodePairs([{ first: "a", second: "b" }], { maxLength: 32 });
  const largest = Math.max(tokenizer.padTypeId, ...window.typeIds);
  if (largest >= tokenTypes)
    throw mismatch(`token types below the model's type_vocab_size of ${tokenTypes}`, `a tokenizer with types up to ${largest}`);
}
