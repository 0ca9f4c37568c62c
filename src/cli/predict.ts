/** `lectern predict --model M --data D --out DIR`: the answers to a data file in SQuAD's formats, carried on where it stopped. */
import type { Command } from "commander";
import { type DataReport, loadExamples } from "../data/examples.js";
import { dataWarnings } from "../data/report-lines.js";
import { statesVersion2 } from "../data/question-files.js";
import { LecternError } from "../errors.js";
import { nativeRuntime } from "../engine/index.js";
import { predict } from "../evaluate/predict.js";
import { predictionFileNames } from "../evaluate/prediction-files.js";
import { withExamples } from "./help.js";
import { Output } from "./output.js";
import { type ReadingOptions, withReadingOptions } from "./reading-options.js";

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
  const { model, data, columns, out, threads, version2WithNegative: negatives, nullScoreDiffThreshold, nBestSize: nBest, maxSamples, json: _json, ...settings } = options;
  if (settings.alignToWords !== undefined && settings.decoding !== "pipeline") {
    throw new LecternError("USAGE", {
      message: "--align-to-words is for the pipeline's answers: the best by the sum of their logits are not widened.",
      expected: "--decoding pipeline beside it",
      next: "Add --decoding pipeline, or leave --align-to-words out.",
    });
  }
  const runtime = nativeRuntime({ threads });
  const { examples, report } = await loadExamples(data, { split: "evaluation", columns, limit: maxSamples, answers: "optional" });
  for (const line of dataWarnings(report)) output.note(line);
  const said = negatives ? undefined : emptyAnswersExpected(report);
  if (said !== undefined) output.note(`${said}: answers are empty where the null odds are above ${nullScoreDiffThreshold} (--null-score-diff-threshold).`);
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
  const nullThreshold = negatives || said !== undefined ? nullScoreDiffThreshold : undefined;
  const predicted = await predict(model, examples, out, { ...settings, nBest, runtime, nullThreshold, onNote, onProgress }).finally(() =>
    progress.close(),
  );
  output.result({ ...predicted, out }, () => {
    const all = predicted.carriedOver === predicted.questions;
    return `${predicted.questions} questions answered${all ? " before" : ""}; ${predictionFileNames.join(", ")} are in ${out}`;
  });
}

/** What the data says of questions without answer, if anything. */
function emptyAnswersExpected(report: DataReport): string | undefined {
  if (report.unanswerable > 0) return `${report.unanswerable} of ${report.examples} questions have no answer, as the data says`;
  return statesVersion2(report) ? "The data is of SQuAD 2.0, as its version says" : undefined;
}
