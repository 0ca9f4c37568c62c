/** What `lectern evaluate` and `lectern predict` have in common: which reader reads which questions, how it reads, and how it chooses its answers. */
import { type Command, Option } from "commander";
import type { Columns } from "../data/columns.js";
import { type Decoding, decodings } from "../evaluate/decoding.js";
import type { AlignToWords } from "../tasks/extractive/answer-places.js";
import { alignment, alignmentHelp, finiteNumber, namedColumns, threadCount, wholeNumber, windowStride } from "./help.js";

export interface ReadingOptions {
  model: string;
  data: string[];
  columns?: Columns;
  revision?: string;
  onnxFile?: string;
  maxLength: number;
  stride: number | null;
  batchSize: number;
  maxSamples?: number;
  nBestSize: number;
  maxAnswerLength: number;
  decoding: Decoding;
  alignToWords?: AlignToWords;
  version2WithNegative?: boolean;
  nullScoreDiffThreshold: number;
  seed: number;
  threads?: number;
}

export function withReadingOptions(command: Command): Command {
  return command
    .requiredOption("--model <model>", "folder of a model, or its name on the Hugging Face Hub")
    .requiredOption("--data <files...>", "JSON, JSON lines, CSV, TSV or parquet, or hub:ORG/NAME; several are read in sequence")
    .option("--columns <names>", "the files' own names of columns: question=Frage,context=Text", namedColumns)
    .option("--revision <revision>", "branch, tag or commit of a Hub model")
    .option("--onnx-file <name>", "run this ONNX file of an exported folder (model_quantized)")
    .option("--max-length <n>", "most tokens of a window", wholeNumber(8), 384)
    .option("--stride <n>", "tokens that two windows share; none: one window a question", windowStride, 128)
    .option("--batch-size <n>", "most windows at once", wholeNumber(1), 16)
    .option("--max-samples <n>", "use only the first so many questions", wholeNumber(1))
    .option("--n-best-size <n>", "start and end candidates considered for an answer, and answers kept", wholeNumber(1), 20)
    .option("--max-answer-length <n>", "most tokens of an answer", wholeNumber(1), 30)
    .addOption(
      new Option("--decoding <which>", "the best by the sum of their logits, or what transformers' pipeline answers").choices(decodings).default("n-best"),
    )
    .option("--align-to-words <when>", `in the pipeline's answers ${alignmentHelp}`, alignment)
    .option("--version-2-with-negative", "there may be questions without answer (SQuAD 2.0): the answer may be empty")
    .option("--null-score-diff-threshold <x>", "null odds above which the answer is empty (SQuAD 2.0)", finiteNumber, 0)
    .option("--seed <n>", "initialises the head of a model that has none", wholeNumber(0), 42)
    .option("--threads <n>", "CPU threads; one a core by default", threadCount);
}
