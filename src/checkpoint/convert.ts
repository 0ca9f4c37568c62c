/**
 * Rewrites a model folder with its weights as safetensors, in any float type: 16-bit halves of the size for shipping, 32-bit back again, and
 * pytorch_model.bin in a form that other programs open without fear. Every tensor and every other file is kept; tensors that hold no real numbers (position indices, masks) keep their type.
 */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { LecternError } from "../errors.js";
import { requireNewFolder } from "../files/make-folder.js";
import { writeFolderAtomic } from "./atomic.js";
import { isFloatDtype, narrowFromFloat32, widenToFloat32 } from "./dtypes.js";
import { copyContained, openModelFolder, readConfigText } from "./model-folder.js";
import type { WeightSource } from "./weight-source.js";
import type { TensorData } from "./safetensors-write.js";
import { writeWeights } from "./sharded.js";
import { isWeightFile } from "./weight-files.js";

/** The types a model can be rewritten in. */
export const conversionDtypes = ["F32", "F16", "BF16"] as const;
export type ConversionDtype = (typeof conversionDtypes)[number];

export interface ConversionOptions {
  dtype: ConversionDtype;
  /** Weights larger than this are cut into several files. */
  maxShardBytes?: number;
}

export interface ConversionReport {
  tensors: number;
  /** Tensors whose type changed. */
  converted: number;
  bytes: number;
  /** The largest |value after − value before| over all weights, as 32-bit floats. */
  maxAbsoluteDifference: number;
}

const pythonNames: Record<ConversionDtype, string> = { F32: "float32", F16: "float16", BF16: "bfloat16" };
const largestHalf = 65504;

/**
 * Converts a model folder.
 * @param to a folder that does not exist, or is empty
 * @throws LecternError TENSOR_OVERFLOW when a weight is too large for F16; FOLDER_NOT_EMPTY; those of opening and writing a folder
 * @example await convertModelFolder("models/minilm-l6", "starter/minilm-l6", { dtype: "F16" });
 */
export async function convertModelFolder(from: string, to: string, options: ConversionOptions): Promise<ConversionReport> {
  await requireNewFolder(to);
  const { weights } = await openModelFolder(from);
  try {
    const report: ConversionReport = { tensors: 0, converted: 0, bytes: 0, maxAbsoluteDifference: 0 };
    const tensors = weights.names().map((name) => convertTensor(weights, name, options.dtype, report));
    await writeFolderAtomic(to, async (temporary) => {
      await copyOthers(from, temporary, options.dtype);
      await writeWeights(temporary, tensors, { maxShardBytes: options.maxShardBytes, metadata: { format: "pt", ...weights.metadata } });
    });
    return report;
  } finally {
    weights.close();
  }
}

/** The tensor in its new type, read and converted when it is its turn to be written; the report grows with it. */
function convertTensor(weights: WeightSource, name: string, dtype: ConversionDtype, report: ConversionReport): TensorData {
  const info = weights.info(name);
  if (!isFloatDtype(info.dtype) || info.dtype === dtype) {
    const data = (): Uint8Array => {
      const bytes = weights.readRaw(name);
      report.tensors++;
      report.bytes += bytes.length;
      return bytes;
    };
    return { name, ...info, data };
  }
  const data = (): Uint8Array => {
    const before = weights.readFloat32(name);
    const bytes = narrowFromFloat32(before, dtype);
    const after = new Float32Array(before.length);
    widenToFloat32(dtype, bytes, after);
    for (let i = 0; i < before.length; i++) {
      const difference = Math.abs(after[i] - before[i]);
      if (difference > report.maxAbsoluteDifference) {
        if (difference === Infinity) throw overflow(name, before[i], dtype);
        report.maxAbsoluteDifference = difference;
      }
    }
    report.tensors++;
    report.converted++;
    report.bytes += bytes.length;
    return bytes;
  };
  return { name, dtype, shape: info.shape, data };
}

function overflow(tensor: string, value: number, dtype: ConversionDtype): LecternError {
  return new LecternError("TENSOR_OVERFLOW", {
    message: `Tensor ${JSON.stringify(tensor)} has a value that ${dtype} cannot hold.`,
    expected: dtype === "F16" ? `values up to ${largestHalf}` : undefined,
    received: String(value),
    next: "Convert to BF16, which has the range of F32, or keep F32.",
  });
}

/** All files but the weights, folders included; in config.json the name of the weights' type follows them. */
async function copyOthers(from: string, to: string, dtype: ConversionDtype): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const { name } = entry;
    if (name.startsWith(".") || isWeightFile(name)) continue;
    if (name === "config.json") {
      // Edited as text, so that 1.0 does not become 1 on its way through JavaScript's numbers.
      await writeFile(path.join(to, name), readConfigText(from).replace(/("(?:torch_)?dtype"\s*:\s*)"b?float\d+"/g, `$1"${pythonNames[dtype]}"`));
    } else if (entry.isDirectory()) await copyTree(from, name, to);
    else await copyContained(from, name, path.join(to, name));
  }
}

/** Copies the folder `name` of the model folder `from`. */
async function copyTree(from: string, name: string, to: string): Promise<void> {
  await mkdir(path.join(to, name));
  for (const entry of await readdir(path.join(from, name), { withFileTypes: true })) {
    const inside = path.join(name, entry.name);
    if (entry.isDirectory()) await copyTree(from, inside, to);
    else await copyContained(from, inside, path.join(to, inside));
  }
}
