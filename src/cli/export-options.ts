/** What `lectern export` and `lectern quantize` have in common: the options of the proof, and how its outcome is told. */
import { type Command, InvalidArgumentError } from "commander";
import { nativeRuntime } from "../engine/index.js";
import { type ExportOptions, exportReader, type ExportReport } from "../export/export-reader.js";
import { columns } from "./columns.js";
import { threadCount, wholeNumber } from "./help.js";
import { Output } from "./output.js";

export interface ProofOptions {
  model: string;
  to: string;
  revision?: string;
  data?: string[];
  maxSamples?: number;
  tolerance?: number;
  maxF1Loss: number;
  externalDataFrom?: number;
  optimized?: boolean;
  threads?: number;
  json?: boolean;
}

export function withProofOptions(command: Command): Command {
  return command
    .requiredOption("--model <model>", "folder of a trained reader, or its name on the Hugging Face Hub")
    .requiredOption("--to <folder>", "the folder to write: a new one, or one with exports of the same model, which stay beside it")
    .option("--revision <revision>", "branch, tag or commit of a Hub model")
    .option("--optimized", "write each file a second time in ONNX Runtime's own operators (model_optimized.onnx)")
    .option("--data <files...>", "prove it on these questions, and say what EM and F1 become; without, on a bundled sample")
    .option("--max-samples <n>", "use only the first so many questions of --data", wholeNumber(1))
    .option(
      "--tolerance <x>",
      "largest difference of a logit, as a share of the range of logits (fp32 0.0001, fp16 0.02, int8 0.5)",
      positive,
    )
    .option("--max-f1-loss <x>", "points of F1 that may be lost on --data", positive, 1)
    .option("--external-data-from <bytes>", "write weights of so many bytes to a file of their own (2 GB less some)", wholeNumber(1))
    .option("--threads <n>", "CPU threads; one a core by default", threadCount)
    .option("--json", "print the report as JSON");
}

/** Exports, and prints what came of it. */
export async function runExport(
  options: ProofOptions,
  what: Pick<ExportOptions, "format" | "types"> & Partial<ExportOptions>,
): Promise<void> {
  const output = new Output(options.json ?? false);
  const report = await exportReader(options.model, options.to, {
    ...what,
    optimized: options.optimized,
    data: options.data,
    maxSamples: options.maxSamples,
    tolerance: options.tolerance,
    maxF1Loss: options.maxF1Loss,
    externalDataFrom: options.externalDataFrom,
    revision: options.revision,
    runtime: nativeRuntime(options.threads === undefined ? {} : { threads: options.threads }),
    onNote: (text) => output.note(text),
  });
  output.result({ folder: options.to, ...report }, () => `${options.to}\n${summary(report)}`);
}

function summary({ files }: ExportReport): string {
  const scored = files.some(({ proof }) => proof.f1 !== undefined);
  const rows = files.map(({ file, bytes, proof }) => [
    file,
    (bytes / 1e6).toFixed(1),
    proof.largest_logit_difference.toExponential(1),
    `${(100 * proof.same_answers).toFixed(1)} %`,
    ...(scored ? [points(proof.exact, proof.original_exact), points(proof.f1, proof.original_f1)] : []),
    `${proof.windows_per_second.toFixed(1)} (${proof.original_windows_per_second.toFixed(1)})`,
  ]);
  return columns(
    ["file", "MB", "logits differ by", "same answers", ...(scored ? ["EM (original)", "F1 (original)"] : []), "windows/s (original)"],
    rows,
  );
}

function points(value: number | undefined, original: number | undefined): string {
  return value === undefined || original === undefined ? "" : `${value.toFixed(2)} (${original.toFixed(2)})`;
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0) || value === Infinity) throw new InvalidArgumentError("It must be a number, at least 0.");
  return value;
}
