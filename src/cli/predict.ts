/** `lectern predict --model M --data D --out DIR`: the answers to a data file in SQuAD's formats, carried on where it stopped. */
import type { Command } from "commander";
import { loadExamples } from "../data/examples.js";
import { dataWarnings } from "../data/report-lines.js";
import { nativeRuntime } from "../engine/index.js";
import { predict } from "../evaluate/predict.js";
import { predictionFileNames } from "../evaluate/prediction-files.js";
import { withExamples } from "./help.js";
import { Output } from "./output.js";
import { nullThresholdOf, type ReadingOptions, withReadingOptions } from "./reading-options.js";

interface PredictVerbOptions extends ReadingOptions {
  out: string;
  restart?: boolean;
  json?: boolean;
}

/** Where there is no live line, how far it is is told this often, in milliseconds. */
const tellEvery = 30_000;

export function registerPredict(program: Command): void {
  const command = withReadingOptions(
    program.command("predict").description("answer a data set, whose answers need not be given, into files in the SQuAD formats; run again after a stop, it carries on"),
  )
    .requiredOption("--out <folder>", `for ${predictionFileNames.join(", ")}`)
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
  const { model, data, columns, out, threads, version2WithNegative: _negative, nullScoreDiffThreshold: _threshold, nBestSize: nBest, maxSamples, json: _json, ...settings } = options;
  const runtime = nativeRuntime({ threads });
  const { examples, report } = await loadExamples(data, { split: "evaluation", columns, limit: maxSamples, answers: "optional" });
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
  const nullThreshold = nullThresholdOf(options);
  const predicted = await predict(model, examples, out, { ...settings, nBest, runtime, nullThreshold, onNote, onProgress }).finally(() =>
    progress.close(),
  );
  output.result({ ...predicted, out }, () => {
    const all = predicted.carriedOver === predicted.questions;
    return `${predicted.questions} questions answered${all ? " before" : ""}; ${predictionFileNames.join(", ")} are in ${out}`;
  });
}
