/** `lectern evaluate --model M --data D`: loss, exact match and F1 of a reader, with its predictions and null odds in SQuAD's formats. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { writeFileAtomic } from "../checkpoint/atomic.js";
import { writingError } from "../checkpoint/file-system-errors.js";
import { resolveModel } from "../checkpoint/hub.js";
import { loadExamples } from "../data/examples.js";
import { dataWarnings } from "../data/report-lines.js";
import { nativeRuntime } from "../engine/index.js";
import { checkAnswers, evaluateReader } from "../evaluate/reader-evaluation.js";
import { makeFeatures } from "../tasks/extractive/features.js";
import { createReaderInference, describeLoading, openReader } from "../tasks/extractive/reader.js";
import { wholeNumber, withExamples } from "./help.js";
import { Output } from "./output.js";

interface EvaluateOptions {
  model: string;
  data: string[];
  revision?: string;
  out?: string;
  maxLength: number;
  stride: number;
  batchSize: number;
  maxSamples?: number;
  nBest: number;
  maxAnswerLength: number;
  version2WithNegative?: boolean;
  threshold: number;
  seed: number;
  threads?: number;
  json?: boolean;
}

export function registerEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description("measure a reader on a data set: loss, exact match, F1, speed")
    .requiredOption("--model <model>", "folder of a model, or its name on the Hugging Face Hub")
    .requiredOption("--data <files...>", "SQuAD JSON, JSON lines or parquet; several are read in sequence")
    .option("--revision <revision>", "branch, tag or commit of a Hub model")
    .option("--out <folder>", "write predictions.json, null_odds.json, nbest_predictions.json and eval_results.json there")
    .option("--max-length <n>", "most tokens of a window", wholeNumber(8), 384)
    .option("--stride <n>", "tokens that two windows share", wholeNumber(0), 128)
    .option("--batch-size <n>", "most windows at once", wholeNumber(1), 16)
    .option("--max-samples <n>", "use only the first so many questions", wholeNumber(1))
    .option("--n-best <n>", "start and end candidates considered for an answer", wholeNumber(1), 20)
    .option("--max-answer-length <n>", "most tokens of an answer", wholeNumber(1), 30)
    .option("--version-2-with-negative", "the data has unanswerable questions (SQuAD 2.0): the answer may be empty")
    .option("--threshold <x>", "null odds above which the answer is empty (SQuAD 2.0)", finiteNumber, 0)
    .option("--seed <n>", "initialises the head of a model that has none", wholeNumber(0), 42)
    .option("--threads <n>", "CPU threads; one a core by default", wholeNumber(1))
    .option("--json", "print the figures as JSON")
    .action(async (options: EvaluateOptions) => evaluate(options));
  withExamples(command, [
    { line: "lectern evaluate --model runs/quickstart --data starter/squad/dev.json", does: "the model of the quickstart" },
    {
      line: "lectern evaluate --model M --data dev-v2.0.json --version-2-with-negative --out results",
      does: "SQuAD 2.0, predictions kept",
    },
  ]);
}

async function evaluate(options: EvaluateOptions): Promise<void> {
  const output = new Output(options.json ?? false);
  const runtime = nativeRuntime(options.threads === undefined ? {} : { threads: options.threads });
  const folder = await resolveModel(options.model, { revision: options.revision });
  const { examples, report } = await loadExamples(options.data, { limit: options.maxSamples });
  for (const line of dataWarnings(report)) output.note(line);
  const nullThreshold = options.version2WithNegative ? options.threshold : undefined;
  checkAnswers(examples, { nullThreshold });
  const reader = await openReader(runtime, folder, { seed: options.seed, maskPadding: true });
  for (const line of describeLoading(folder, reader.loaded)) output.note(line);
  const { features } = await makeFeatures(examples, reader.tokenizer, {
    maxLength: Math.min(options.maxLength, reader.encoder.maxLength),
    stride: options.stride,
    forTraining: false,
  });
  const program = await createReaderInference(runtime, reader);
  const progress = output.progress();
  const { metrics, answers } = await evaluateReader(reader, program, examples, features, {
    batchSize: options.batchSize,
    nBest: options.nBest,
    maxAnswerLength: options.maxAnswerLength,
    nullThreshold,
    onProgress: (done, total) => progress.show({ type: "evaluating", step: 0, done, total }),
  }).finally(() => progress.close());
  const figures: Record<string, number> = Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [
      ["loss", "runtime", "samples_per_second"].includes(name) ? `eval_${name}` : name,
      value,
    ]),
  );
  if (options.out !== undefined) {
    const out = options.out;
    await mkdir(out, { recursive: true }).catch((error: unknown) => {
      throw writingError(error, out);
    });
    const write = (name: string, value: unknown) => writeFileAtomic(join(out, name), `${JSON.stringify(value, null, 1)}\n`);
    await write("predictions.json", Object.fromEntries(answers.predictions));
    await write("null_odds.json", Object.fromEntries(answers.nullOdds));
    await write("nbest_predictions.json", Object.fromEntries(answers.nBest));
    await write("eval_results.json", figures);
    output.note(`predictions, null odds and figures are in ${out}`);
  }
  output.result(figures, () => {
    const width = Math.max(...Object.keys(figures).map((name) => name.length));
    return Object.entries(figures)
      .map(([name, value]) => `${name.padEnd(width)}  ${Number.isInteger(value) ? value : value.toFixed(4)}`)
      .join("\n");
  });
}

function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}
