/**
 * A reader written for others: as ONNX files laid out as transformers.js and Optimum expect, or as a model folder of one float type. Everything
 * is written into a folder beside the target, read back from there and compared with the original; the folder takes its place only then.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { writeFolderAtomic } from "../checkpoint/atomic.js";
import { configText } from "../checkpoint/config-json.js";
import { narrowFromFloat32 } from "../checkpoint/dtypes.js";
import { resolveModel } from "../checkpoint/hub.js";
import { writeModelFiles, writePlainFiles } from "../checkpoint/model-folder.js";
import { loadExamples, type QaExample } from "../data/examples.js";
import { dataWarnings } from "../data/report-lines.js";
import { foldForInference, fuseForInference, type Graph, nativeRuntime, type Runtime } from "../engine/index.js";
import { LecternError } from "../errors.js";
import { modelDefinition } from "../models/index.js";
import { describeWrappers, openReader, type Reader } from "../tasks/extractive/reader.js";
import { calibrate } from "./calibrate.js";
import { makeFolders } from "../files/make-folder.js";
import { checksum } from "../files/checksum.js";
import {
  bringEarlierFiles,
  keptExternalData,
  keptFiles,
  readEarlierExport,
  readerChecksum,
  reportFile,
  requireSameExport,
} from "./earlier-export.js";
import { exportCard } from "./export-card.js";
import { inFloat16 } from "./float16.js";
import { writeOnnxFile } from "./onnx-write.js";
import { type Behaviour, behaviourOf, type Proof, type ProofData, proofData, prove } from "./proof.js";
import { quantiseGraph } from "./quantise.js";
import { readerGraph } from "./reader-graph.js";
import { sampleExamples } from "./sample.js";

/** What a file's weights and arithmetic are. */
export const exportedTypes = ["fp32", "fp16", "int8"] as const;
export type ExportedType = (typeof exportedTypes)[number];

export interface ExportOptions {
  readonly format: "onnx" | "safetensors";
  /** One file each. */
  readonly types: readonly ExportedType[];
  /** Write each file a second time in ONNX Runtime's own operators. */
  readonly optimized?: boolean;
  /** Of int8: scales from each input (dynamic), or fixed by calibration (static). */
  readonly mode?: "dynamic" | "static";
  /** Data files to calibrate on. */
  readonly calibrate?: readonly string[];
  /** Questions of them that are used. Default 100. */
  readonly calibrationSamples?: number;
  /** Share of the activations that calibration cuts off at either end. Default 0, min-max: outliers carry meaning (docs/decisions/037). */
  readonly cutOff?: number;
  /** Data to prove the export on, with answers; a bundled sample without scores where left out. */
  readonly data?: readonly string[];
  /** Questions of them that are used; all by default. */
  readonly maxSamples?: number;
  /** Largest difference of a logit as a share of their range; by type where left out. */
  readonly tolerance?: number;
  /** Points of F1 that an export may lose. Default 1. */
  readonly maxF1Loss?: number;
  /** Bytes of weights from which on ONNX files have external data. Default: just under 2 GB. */
  readonly externalDataFrom?: number;
  readonly revision?: string;
  readonly runtime?: Runtime;
  readonly onNote?: (text: string) => void;
}

/** One file of an export. */
export interface ExportedFile {
  readonly file: string;
  readonly label: string;
  readonly type: ExportedType;
  /** With its external data. */
  readonly bytes: number;
  readonly sha256: string;
  /** What the proof ran on. */
  readonly data: readonly string[];
  readonly proof: Proof;
}

/** export_report.json */
export interface ExportReport {
  readonly model: string;
  /** Of its parameters, config and tokenizer: files of the same model can be added to the folder. */
  readonly model_sha256: string;
  readonly format: "onnx" | "safetensors";
  readonly created: string;
  readonly original_bytes: number;
  readonly runtime: string;
  readonly calibration?: { readonly data: readonly string[]; readonly questions: number; readonly cut_off: number };
  readonly files: readonly ExportedFile[];
}

/** Largest difference of a logit that is passed over, as a share of their range. */
export const defaultTolerance: Readonly<Record<ExportedType, number>> = { fp32: 1e-4, fp16: 0.02, int8: 0.5 };
const defaultCutOff = 0;
const defaultCalibrationSamples = 100;
/** As transformers.js puts them behind the name of a model's file for its dtypes fp32, fp16 and q8. */
const suffixes: Readonly<Record<ExportedType, string>> = { fp32: "", fp16: "_fp16", int8: "_quantized" };

/**
 * Exports a reader. In a folder that holds an export of the same model already the new files stand beside the others, or take their place.
 * @param model folder of a model, or its name on the Hugging Face Hub
 * @param to a folder that does not exist, is empty, or holds an export of this model
 * @throws LecternError EXPORT_TOLERANCE, EXPORT_SOURCE, FOLDER_NOT_EMPTY, CALIBRATION_MISSING, and those of opening models and data
 * @example
 * const report = await exportReader("runs/quickstart", "exported", { format: "onnx", types: ["fp32", "int8"] });
 * console.log(report.files.map(({ file, bytes }) => `${file}: ${bytes} bytes`));
 */
export async function exportReader(model: string, to: string, options: ExportOptions): Promise<ExportReport> {
  const earlier = await readEarlierExport(to);
  const { runtime = nativeRuntime(), onNote = () => undefined, maxF1Loss = 1 } = options;
  const folder = await resolveModel(model, { revision: options.revision });
  const reader = await openReader(runtime, folder, { seed: 0, maskPadding: true });
  for (const line of describeWrappers(folder, reader.loaded)) onNote(line);
  refuseUnfit(model, reader);
  const identity = { model, format: options.format, model_sha256: readerChecksum(reader) };
  if (earlier !== undefined) await requireSameExport(to, earlier, identity);
  const examples = options.data === undefined ? await sampleExamples() : await givenExamples(options.data, options.maxSamples, onNote);
  const data = await proofData(reader, examples, options.data !== undefined);
  const calibration = await calibrationExamples(options);
  onNote(`running the original on ${examples.length} questions`);
  const original = await behaviourOf(runtime, reader, data);
  const source: Source = { model, folder, reader, runtime, data, original, calibration };
  const files: ExportedFile[] = [];
  const report = {
    ...identity,
    created: new Date().toISOString(),
    original_bytes: await weightBytes(folder),
    runtime: runtime.name,
    ...(calibration !== undefined && {
      calibration: { data: options.calibrate!, questions: calibration.length, cut_off: options.cutOff ?? defaultCutOff },
    }),
  };
  const proofOn = options.data ?? ["bundled sample"];
  let joined: ExportReport = { ...report, files };
  await writeFolderAtomic(to, async (temporary) => {
    for (const type of options.types) {
      const written =
        options.format === "onnx"
          ? await writeOnnxFiles(temporary, type, source, options)
          : [await writeSafetensors(temporary, type, source)];
      for (const { files: names, bytes, label } of written) {
        const tolerance = options.tolerance ?? defaultTolerance[type];
        const onnxFile = options.format === "onnx" ? path.basename(names[0]) : undefined;
        const exported = await behaviourOf(runtime, await openReader(runtime, temporary, { seed: 0, maskPadding: true, onnxFile }), data);
        const proof = prove(names[0], original, exported, { tolerance, maxF1Loss });
        onNote(`${names[0]}: proved, largest difference of a logit ${proof.largest_logit_difference.toPrecision(2)}`);
        files.push({ file: names[0], label, type, bytes, sha256: await checksum(path.join(temporary, names[0])), data: proofOn, proof });
      }
    }
    if (earlier !== undefined) {
      const kept = keptFiles(earlier, temporary);
      if (options.format === "onnx") await writeConfig(temporary, reader, keptExternalData(to, kept));
      const { calibration: before } = earlier;
      const isCalibrated = kept.some(({ label }) => label.includes("int8 static"));
      joined = { ...(before !== undefined && isCalibrated && { calibration: before }), ...report, files: [...kept, ...files] };
    }
    await writeFile(path.join(temporary, reportFile), `${JSON.stringify(joined, null, 2)}\n`);
    await writeFile(path.join(temporary, "README.md"), await exportCard(folder, path.basename(path.resolve(to)), joined));
    if (earlier !== undefined) await bringEarlierFiles(to, temporary);
  });
  return joined;
}

interface Source {
  readonly model: string;
  readonly folder: string;
  readonly reader: Reader;
  readonly runtime: Runtime;
  readonly data: ProofData;
  readonly original: Behaviour;
  readonly calibration: readonly QaExample[] | undefined;
}

interface Written {
  /** Relative to the folder, the model itself first. */
  readonly files: readonly string[];
  readonly bytes: number;
  readonly label: string;
}

/** The ONNX files of one type, with config.json and the tokenizer at the root. */
async function writeOnnxFiles(folder: string, type: ExportedType, source: Source, options: ExportOptions): Promise<Written[]> {
  const { reader, model } = source;
  await makeFolders(path.join(folder, "onnx"));
  const plain = await typedGraph(type, source, options);
  const variants = options.optimized && type !== "fp16" ? [false, true] : [false];
  const written: Written[] = [];
  for (const fused of variants) {
    const file = `onnx/model${fused ? "_optimized" : ""}${suffixes[type]}.onnx`;
    const arithmetic = type === "int8" ? `int8 ${options.mode ?? "dynamic"}` : type;
    const label = `${path.basename(path.resolve(model))}, ${arithmetic}, ${fused ? "operators of ONNX Runtime" : "standard operators"}`;
    const metadata = { label, task: "question-answering", model_type: String(reader.config.model_type), arithmetic, producer: "lectern" };
    const graph = fused ? fuseForInference(plain) : plain;
    const { files, bytes } = await writeOnnxFile(path.join(folder, file), graph, {
      fused,
      metadata,
      externalDataFrom: options.externalDataFrom,
    });
    written.push({ files: files.map((name) => `onnx/${name}`), bytes, label });
  }
  const external = Object.fromEntries(
    written.filter(({ files }) => files.length > 1).map(({ files: [name] }) => [path.basename(name), true]),
  );
  await writeConfig(folder, reader, external);
  await writePlainFiles(folder, reader.tokenizer.files);
  return written;
}

async function typedGraph(type: ExportedType, { reader, runtime, calibration }: Source, options: ExportOptions): Promise<Graph> {
  const graph = foldForInference(readerGraph(reader));
  if (type === "fp32") return graph;
  if (type === "fp16") return inFloat16(graph);
  const { features } = calibration === undefined ? { features: [] } : await proofData(reader, calibration, false);
  const ranges =
    calibration === undefined ? undefined : await calibrate(runtime, graph, reader, features, { cutOff: options.cutOff ?? defaultCutOff });
  return quantiseGraph(graph, { ranges, keep: (weight) => weight.startsWith(`${reader.encoder.head.output}.`) });
}

/** config.json; transformers.js learns from it which files have external data. */
async function writeConfig(folder: string, { config }: Reader, external: Record<string, boolean>): Promise<void> {
  const { _name_or_path: _origin, dtype: _dtype, torch_dtype: _torchDtype, ...kept } = config;
  const file = path.join(folder, "config.json");
  const before = existsSync(file)
    ? (JSON.parse(await readFile(file, "utf8")) as { "transformers.js_config"?: { use_external_data_format?: object } })
    : {};
  const all = { ...before["transformers.js_config"]?.use_external_data_format, ...external };
  const javascript = Object.keys(all).length === 0 ? {} : { "transformers.js_config": { use_external_data_format: all } };
  await writeFile(
    file,
    configText({ ...kept, architectures: [modelDefinition(config).questionAnswering], torch_dtype: "float32", ...javascript }),
  );
}

async function writeSafetensors(folder: string, type: ExportedType, { reader, model }: Source): Promise<Written> {
  const half = type === "fp16";
  const { _name_or_path: _origin, dtype: _dtype, torch_dtype: _torchDtype, ...kept } = reader.config;
  const names = await writeModelFiles(folder, {
    config: { ...kept, architectures: [modelDefinition(reader.config).questionAnswering], torch_dtype: half ? "float16" : "float32" },
    tensors: [...reader.store.parameters.values()].map(({ name, declaration, tensor }) => ({
      name,
      dtype: half ? ("F16" as const) : ("F32" as const),
      shape: [...declaration.shape],
      data: half ? () => narrowFromFloat32(tensor.data as Float32Array, "F16") : (tensor.data as Float32Array),
    })),
    files: reader.tokenizer.files,
  });
  const weights = names.filter((name) => name.endsWith(".safetensors"));
  const sizes = await Promise.all(weights.map(async (name) => (await stat(path.join(folder, name))).size));
  return {
    files: weights,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    label: `${path.basename(path.resolve(model))}, ${type}, safetensors`,
  };
}

async function givenExamples(files: readonly string[], limit: number | undefined, onNote: (line: string) => void): Promise<QaExample[]> {
  const { examples, report } = await loadExamples([...files], { split: "evaluation", limit });
  for (const line of dataWarnings(report)) onNote(line);
  return examples;
}

async function calibrationExamples({ types, mode, calibrate: files, calibrationSamples }: ExportOptions): Promise<QaExample[] | undefined> {
  if (!types.includes("int8") || mode !== "static") return undefined;
  if (files === undefined || files.length === 0) {
    throw new LecternError("CALIBRATION_MISSING", {
      message: "Static quantisation needs data to calibrate on.",
      expected: "questions and contexts like those that the model will see",
      next: "Give them with --calibrate FILE, or use --mode dynamic, which needs none.",
    });
  }
  return (await loadExamples([...files], { limit: calibrationSamples ?? defaultCalibrationSamples })).examples;
}

function refuseUnfit(model: string, { onnx, loaded }: Reader): void {
  if (onnx === undefined && loaded.missing.length === 0) return;
  throw new LecternError("EXPORT_SOURCE", {
    message: `${model} cannot be exported.`,
    expected: "the folder of a trained reader with its weights (model.safetensors or pytorch_model.bin)",
    received:
      onnx === undefined ? `a model without ${loaded.missing.slice(0, 2).join(", ")}` : `an export itself (${path.basename(onnx.file)})`,
    next: onnx === undefined ? "Train it first: its head would be random numbers." : "Export the model that it was made of.",
  });
}

async function weightBytes(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".safetensors"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
