/**
 * Readers in ONNX files: folders laid out as Optimum and transformers.js expect (config.json and the tokenizer at the root, onnx/model.onnx
 * and its siblings beside them), whoever wrote them. A file's session stands behind the same interface as a network of ours, so that every
 * verb that answers can use one.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import {
  allocateTensor,
  type Bindings,
  type HostArray,
  type InferenceExecutor,
  type Lane,
  type OnnxHeader,
  openLanes,
  type Program,
  readOnnxHeader,
  type RunOnLane,
  type RunOptions,
  type Runtime,
  type Tensor,
} from "../../engine/index.js";
import { InternalError, LecternError } from "../../errors.js";
import { containedFile, readContainedBytes } from "../../files/plain-file.js";
import type { HeadOptions } from "./head.js";

/** A protobuf message ends at 2 GB. */
const kind = { what: "a model in ONNX form", limit: 2 ** 31 };

/** A reader's ONNX file, looked at but not yet loaded. */
export interface OnnxReaderFile {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly header: OnnxHeader;
}

/** Which file is taken where none is named, the first that exists: full precision first, then the smaller ones. */
const preferred = ["model", "model_optimized", "model_quantized", "model_optimized_quantized", "model_fp16"];
const readable = ["input_ids", "attention_mask", "token_type_ids"];
const results = ["start_logits", "end_logits"];

/** The ONNX files of a model folder by their names without ending, in the order of preference; those in onnx/ come before others. */
export async function onnxFiles(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const place of [path.join(folder, "onnx"), folder]) {
    const names = existsSync(place) ? (await readdir(place)).filter((name) => name.endsWith(".onnx")) : [];
    for (const name of names.sort()) if (!files.has(name.slice(0, -5))) files.set(name.slice(0, -5), path.join(place, name));
  }
  const rank = ([name]: [string, string]): number => (preferred.includes(name) ? preferred.indexOf(name) : preferred.length);
  return new Map([...files].sort((a, b) => rank(a) - rank(b)));
}

/**
 * Reads an ONNX file of a model folder and checks that it is a reader.
 * @param chosen its name (`model_quantized`, with or without `.onnx` and `onnx/`); the preferred one where left out
 * @throws LecternError ONNX_FILE_UNKNOWN, ONNX_CORRUPT, ONNX_NOT_A_READER, FILE_OUTSIDE_FOLDER, FILE_MISSING, FILE_NOT_READABLE
 */
export async function openOnnxFile(folder: string, chosen?: string): Promise<OnnxReaderFile> {
  const files = await onnxFiles(folder);
  const name = chosen === undefined ? [...files.keys()][0] : path.basename(chosen).replace(/\.onnx$/, "");
  const file = files.get(name);
  if (file === undefined) {
    throw new LecternError("ONNX_FILE_UNKNOWN", {
      message: `${folder} has no ONNX file of that name.`,
      expected: files.size > 0 ? `one of ${[...files.keys()].join(", ")}` : "a folder with onnx/model.onnx, as lectern export writes it",
      received: chosen,
      next: files.size > 0 ? "Name one of these files." : "Export the model first: lectern export --help.",
    });
  }
  const place = path.relative(folder, file);
  const bytes = readContainedBytes(folder, place, kind);
  const header = headerOf(file, bytes);
  for (const location of header.externalFiles)
    containedFile(folder, path.join(path.dirname(place), location), "the weights of the ONNX file");
  requireReader(file, header);
  return { file, bytes, header };
}

/** A program for the file, with the interface of the network's own: start_logits, end_logits and the loss of what is fed. */
export async function createOnnxInference(runtime: Runtime, { file, bytes }: OnnxReaderFile, loss: HeadOptions): Promise<InferenceExecutor> {
  const load = (singleThreaded: boolean): Promise<Program> =>
    runtime
      .load({ bytes, folder: path.dirname(path.resolve(file)) }, { name: path.basename(file), singleThreaded })
      .catch((error: unknown) => {
        throw corrupt(file, (error as Error).message);
      });
  const lanes = await openLanes(runtime, load);
  const runOn =
    (run: RunOnLane): InferenceExecutor["run"] =>
    (bindings, inputs, options) =>
      run((lane) => compute(runtime, lane, bindings, inputs, loss, options)).catch((error: unknown) => {
        if (options?.signal?.aborted === true || error instanceof InternalError) throw error;
        throw failedToRun(file, bindings, error as Error);
      });
  return {
    inputs: lanes.program.inputs,
    run: runOn(lanes.one),
    many: async () => {
      const { atOnce, run } = await lanes.many();
      return { atOnce, run: runOn(run) };
    },
    release: lanes.release,
  };
}

/** One run: inputs copied in, the two logits copied out by being given away. */
async function compute(
  runtime: Runtime,
  { program, queue }: Lane,
  { batch, seq }: Bindings,
  inputs: Readonly<Record<string, HostArray>>,
  loss: HeadOptions,
  options?: RunOptions,
): Promise<Record<string, Float32Array>> {
  const tensors: Tensor[] = [];
  const tensor = (dtype: "int64" | "float32"): Tensor => {
    tensors.push(allocateTensor(runtime, dtype, [batch, seq]));
    return tensors.at(-1)!;
  };
  try {
    const given = program.inputs.map((name) => {
      const made = tensor("int64");
      if (inputs[name] !== undefined) (made.data as BigInt64Array).set(inputs[name] as BigInt64Array);
      return made;
    });
    const made = program.outputs.map(() => tensor("float32"));
    await queue.submit([{ do: "run", program, inputs: given, outputs: made }], options);
    const logits = Object.fromEntries(made.map(({ data }, index) => [program.outputs[index], data as Float32Array]));
    return {
      start_logits: logits.start_logits,
      end_logits: logits.end_logits,
      loss: Float32Array.of(readerLoss(logits, inputs, batch, seq, loss)),
    };
  } finally {
    for (const one of tensors) one.release();
  }
}

/** The sum over the rows of both weighted cross-entropies: the loss that the reader's network computes. */
function readerLoss(
  logits: Record<string, Float32Array>,
  inputs: Readonly<Record<string, HostArray>>,
  batch: number,
  seq: number,
  { maskPadding }: HeadOptions,
): number {
  const { attention_mask: mask } = inputs;
  const counts = (at: number): boolean => !maskPadding || mask[at] === 1n;
  let loss = 0;
  for (const side of ["start", "end"]) {
    const values = logits[`${side}_logits`];
    const targets = inputs[`${side}_positions`] as BigInt64Array | undefined;
    const weights = inputs[`${side}_weights`] as Float32Array | undefined;
    if (targets === undefined || weights === undefined) return 0;
    for (let row = 0; row < batch; row++) {
      let largest = -Infinity;
      for (let at = row * seq; at < (row + 1) * seq; at++) if (counts(at) && values[at] > largest) largest = values[at];
      let sum = 0;
      for (let at = row * seq; at < (row + 1) * seq; at++) if (counts(at)) sum += Math.exp(values[at] - largest);
      loss += weights[row] * (largest + Math.log(sum) - values[row * seq + Number(targets[row])]);
    }
  }
  return loss;
}

function headerOf(file: string, bytes: Uint8Array): OnnxHeader {
  try {
    return readOnnxHeader(bytes);
  } catch (error) {
    throw corrupt(file, (error as Error).message);
  }
}

function corrupt(file: string, received: string): LecternError {
  return new LecternError("ONNX_CORRUPT", {
    message: `${file} is no ONNX model that ONNX Runtime can run.`,
    expected: "a whole ONNX file, and the files of its external data beside it",
    received,
    next: "Export the model again, or copy its files again.",
  });
}

/** The graph is what the file says: where it fails on what every reader takes, the file is wrong. */
function failedToRun(file: string, { batch, seq }: Bindings, error: Error): LecternError {
  return new LecternError("ONNX_RUN", {
    message: `${path.basename(file)} fails when it is run.`,
    expected: `start and end logits for ${batch} windows of ${seq} tokens`,
    received: error.message.replace(/\s+/g, " ").trim(),
    next: "Export the model again; where only long windows fail, lower max_seq_len to what the file takes.",
  });
}

function requireReader(file: string, { inputs, outputs }: OnnxHeader): void {
  const strange = inputs.filter(({ name, dtype }) => !readable.includes(name) || dtype !== "int64");
  const fits =
    strange.length === 0 &&
    inputs.some(({ name }) => name === "input_ids") &&
    outputs.length === results.length &&
    outputs.every(({ name, dtype }) => results.includes(name) && dtype === "float32");
  if (fits) return;
  const list = (values: typeof inputs): string =>
    values.map(({ name, dtype }) => `${name} (${dtype ?? "another type"})`).join(", ") || "none";
  throw new LecternError("ONNX_NOT_A_READER", {
    message: `${file} is not an extractive reader.`,
    expected: `int64 inputs among ${readable.join(", ")}, and float32 outputs ${results.join(" and ")}`,
    received: `inputs ${list(inputs)}; outputs ${list(outputs)}`,
    next: "Use a model exported for question answering.",
  });
}
