/** `lectern predict --model M --data D --out DIR`: the answers to a data file in SQuAD's formats, carried on where it stopped. */
import type { Command } from "commander";
import { loadExamples } from "../data/examples.js";
import { dataWarnings } from "../data/report-lines.js";
import { nativeRuntime } from "../engine/index.js";
import { predict } from "../evaluate/predict.js";
import { predictionFileNames } from "../evaluate/prediction-files.js";
import { finiteNumber, threadCount, wholeNumber, withExamples } from "./help.js";
import { Output } from "./output.js";

interface PredictVerbOptions {
  model: string;
  data: string[];
  out: string;
  revision?: string;
  onnxFile?: string;
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
  restart?: boolean;
  json?: boolean;
}

/** Where there is no live line, how far it is is told this often, in milliseconds. */
const tellEvery = 30_000;

export function registerPredict(program: Command): void {
  const command = program
    .command("predict")
    .description("answer a data set into files in the SQuAD formats; run again after a stop, it carries on")
    .requiredOption("--model <model>", "folder of a model, or its name on the Hugging Face Hub")
    .requiredOption("--data <files...>", "SQuAD JSON, JSON lines or parquet; answers need not be given")
    .requiredOption("--out <folder>", `for ${predictionFileNames.join(", ")}`)
    .option("--revision <revision>", "branch, tag or commit of a Hub model")
    .option("--onnx-file <name>", "run this ONNX file of an exported folder (model_quantized)")
    .option("--max-length <n>", "most tokens of a window", wholeNumber(8), 384)
    .option("--stride <n>", "tokens that two windows share", wholeNumber(0), 128)
    .option("--batch-size <n>", "most windows at once", wholeNumber(1), 16)
    .option("--max-samples <n>", "use only the first so many questions", wholeNumber(1))
    .option("--n-best <n>", "start and end candidates considered for an answer, and answers kept", wholeNumber(1), 20)
    .option("--max-answer-length <n>", "most tokens of an answer", wholeNumber(1), 30)
    .option("--version-2-with-negative", "there may be questions without answer (SQuAD 2.0): the prediction may be empty")
    .option("--threshold <x>", "null odds above which the prediction is empty (SQuAD 2.0)", finiteNumber, 0)
    .option("--seed <n>", "initialises the head of a model that has none", wholeNumber(0), 42)
    .option("--threads <n>", "CPU threads; one a core by default", threadCount)
    .option("--restart", "forget predictions that the folder holds, of whatever they are")
    .option("--json", "print how many questions were answered as JSON")
    .action(async (options: PredictVerbOptions) => runPredict(options));
  withExamples(command, [
    { line: "lectern predict --model runs/quickstart --data questions.json --out predictions", does: "answers every question" },
    { line: "lectern score questions.json predictions/predictions.json", does: "scores them, where the data has answers" },
  ]);
}

async function runPredict(options: PredictVerbOptions): Promise<void> {
  const output = new Output(options.json ?? false);
  const { model, data, out, threads, version2WithNegative, threshold, maxSamples, json: _json, ...settings } = options;
  const runtime = nativeRuntime({ threads });
  const { examples, report } = await loadExamples(data, { limit: maxSamples, answers: "optional" });
  for (const line of dataWarnings(report)) output.note(line);
  const progress = output.progress();
  let carriedOver: number | undefined;
  let told = performance.now();
  const onProgress = (done: number, total: number) => {
    if (carriedOver === undefined) {
      carriedOver = done;
      if (done > 0) output.note(`carrying on after ${done} of ${total} questions`);
      return;
    }
    // the speed is that of this run alone
    progress.show({ type: "evaluating", step: 0, done: done - carriedOver, total: total - carriedOver });
    if (process.stderr.isTTY || performance.now() - told < tellEvery) return;
    told = performance.now();
    output.note(`${done} of ${total} questions`);
  };
  const onNote = (line: string) => output.note(line);
  const nullThreshold = version2WithNegative ? threshold : undefined;
  const predicted = await predict(model, examples, out, { ...settings, runtime, nullThreshold, onNote, onProgress }).finally(() =>
    progress.close(),
  );
  output.result({ ...predicted, out }, () => {
    const all = predicted.carriedOver === predicted.questions;
    return `${predicted.questions} questions answered${all ? " before" : ""}; ${predictionFileNames.join(", ")} are in ${out}`;
  });
}
