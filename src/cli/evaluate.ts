/** `lectern evaluate --model M --data D`: loss, exact match and F1 of a reader, with its predictions and null odds in SQuAD's formats. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { writeFilesAtomic } from "../checkpoint/atomic.js";
import { resolveModel } from "../checkpoint/hub.js";
import { dataIdentity } from "../data/data-identity.js";
import { loadExamples, type QaExample } from "../data/examples.js";
import { dataWarnings } from "../data/report-lines.js";
import { nativeRuntime } from "../engine/index.js";
import { readBaselineFigures } from "../evaluate/baseline-figures.js";
import { evaluateModel, type ModelEvaluation } from "../evaluate/evaluate-model.js";
import { resultFigures } from "../evaluate/figure-names.js";
import { answeredQuestions, writePredictionFiles } from "../evaluate/prediction-files.js";
import { nullThresholdFor } from "../evaluate/reader-evaluation.js";
import { describeSameSpan, sameSpan } from "../evaluate/same-span.js";
import { writeReport } from "../evaluate/report/write-report.js";
import { writeEvaluationEvents } from "../train/evaluation-events.js";
import { LecternError } from "../errors.js";
import { checkWritable } from "../files/make-folder.js";
import { wholeNumber, withExamples } from "./help.js";
import { Output } from "./output.js";
import { type ReadingOptions, withReadingOptions } from "./reading-options.js";

interface EvaluateOptions extends ReadingOptions {
  out?: string;
  report?: string;
  baseline?: string;
  compare?: string;
  padToMaxLength?: boolean;
  bootstrap?: number;
  latencyQuestions: number;
  json?: boolean;
}

export function registerEvaluate(program: Command): void {
  const command = withReadingOptions(
    program.command("evaluate").description("measure a reader on a data set: loss, exact match, F1, speed"),
  )
    .option("--out <folder>", "write predictions.json, null_odds.json, nbest_predictions.json and eval_results.json there")
    .option("--report <folder>", "write a report there: one HTML page, the same as CSV and parquet, and TensorBoard events")
    .option("--baseline <model>", "for the report: the model as it was before training, measured on the same questions")
    .option("--compare <model>", "for the report: a second model, set beside the first")
    .option("--pad-to-max-length", "pad every window, and let padding into the loss: the losses that transformers' Trainer prints; slower")
    .addOption(
      new Option("--bootstrap [samples]", "95% intervals of EM and F1 from so many samples of the questions (10000)")
        .argParser(wholeNumber(1))
        .preset("10000"),
    )
    .option("--latency-questions <n>", "questions asked one by one, for the median and the 99th percentile of the latency", wholeNumber(0), 100)
    .option("--json", "print the figures as JSON")
    .action(async (options: EvaluateOptions) => evaluate(options));
  withExamples(command, [
    { line: "lectern evaluate --model runs/quickstart --data starter/squad/dev.json", does: "the model of the quickstart" },
    {
      line: "lectern evaluate --model M --data dev-v2.0.json --version-2-with-negative --out results",
      does: "SQuAD 2.0, predictions kept",
    },
    {
      line: "lectern evaluate --model runs/quickstart --data starter/squad/dev.json --report report --baseline starter/minilm-l6",
      does: "a report to open in a browser",
    },
  ]);
}

async function evaluate(options: EvaluateOptions): Promise<void> {
  const output = new Output(options.json ?? false);
  checkReport(options);
  const runtime = nativeRuntime(options.threads === undefined ? {} : { threads: options.threads });
  // every model is looked for before the first one works for minutes
  for (const [name, revision] of [[options.model, options.revision], [options.baseline], [options.compare]]) {
    if (name !== undefined) await resolveModel(name, { revision });
  }
  for (const folder of [options.out, options.report]) if (folder !== undefined) await checkWritable(folder);
  const { examples, report } = await loadExamples(options.data, { split: "evaluation", columns: options.columns, limit: options.maxSamples });
  for (const line of dataWarnings(report)) output.note(line);
  const { nullScoreDiffThreshold: threshold, version2WithNegative = false } = options;
  const nullThreshold = nullThresholdFor(examples, { threshold, negatives: version2WithNegative });
  if (report.impossible > 0 && !version2WithNegative) {
    output.note(`${report.impossible} of ${report.examples} questions have no answer: answers may be empty, and are scored as those of SQuAD 2.0.`);
  }
  const evaluated = async (model: string, revision?: string): Promise<ModelEvaluation> => {
    if (model !== options.model) output.note(`evaluating ${model}`);
    const progress = output.progress();
    return evaluateModel(model, examples, {
      runtime,
      revision,
      ...(model === options.model && { onnxFile: options.onnxFile }),
      maxLength: options.maxLength,
      stride: options.stride,
      seed: options.seed,
      batchSize: options.batchSize,
      nBest: options.nBestSize,
      maxAnswerLength: options.maxAnswerLength,
      nullThreshold,
      padToMaxLength: options.padToMaxLength,
      decoding: options.decoding,
      alignToWords: options.alignToWords,
      bootstrap: options.bootstrap,
      latencyQuestions: options.latencyQuestions,
      onNote: (line) => output.note(line),
      onProgress: (done, total) => progress.show({ type: "evaluating", step: 0, done, total }),
    }).finally(() => progress.close());
  };
  const evaluation = await evaluated(options.model, options.revision);
  const { metrics, answers, results } = evaluation;
  const same = sameSpan(results);
  if (same !== undefined) output.note(`${options.model} ${describeSameSpan(same)}`);
  const figures = resultFigures(metrics);
  if (options.out !== undefined) {
    const out = options.out;
    await writeFilesAtomic(out, async (temporary) => {
      await writePredictionFiles(temporary, answeredQuestions(answers));
      await writeFile(join(temporary, "eval_results.json"), `${JSON.stringify(figures, null, 1)}\n`);
    });
    output.note(`predictions, null odds and figures are in ${out}`);
  }
  if (options.report !== undefined) {
    output.note(`the report is ${await reportOn(options.report, examples, evaluation, evaluated, options, nullThreshold)}`);
  }
  output.result(figures, () => {
    const width = Math.max(...Object.keys(figures).map((name) => name.length));
    return Object.entries(figures)
      .map(([name, value]) => `${name.padEnd(width)}  ${Number.isInteger(value) ? value : value.toFixed(4)}`)
      .join("\n");
  });
}

function checkReport({ report, baseline, compare }: EvaluateOptions): void {
  if (report !== undefined || (baseline === undefined && compare === undefined)) return;
  throw new LecternError("USAGE", {
    message: `${baseline === undefined ? "--compare" : "--baseline"} is for a report, and none was asked for.`,
    expected: "--report FOLDER beside it",
    next: "Add --report report, and open report/report.html.",
  });
}

/** Evaluates the models that the report sets beside this one, and writes it; returns the page. */
async function reportOn(
  folder: string,
  examples: readonly QaExample[],
  evaluation: ModelEvaluation,
  evaluated: (model: string) => Promise<ModelEvaluation>,
  options: EvaluateOptions,
  nullThreshold: number | undefined,
): Promise<string> {
  const { baseline, compare } = options;
  const measured = baseline === undefined ? undefined : await evaluated(baseline);
  const before = measured
    ? { source: measured.name, metrics: measured.metrics, data: dataIdentity(examples, options.data) }
    : await readBaselineFigures(evaluation.folder);
  const { page } = await writeReport(folder, {
    examples,
    model: evaluation,
    before,
    compare: compare === undefined ? undefined : compare === baseline ? measured : await evaluated(compare),
    nullThreshold,
    seed: options.seed,
    facts: {
      data: options.data.join(", "),
      windows: `${options.maxLength} tokens, stride ${options.stride ?? "none"}`,
      answers: `${options.maxAnswerLength} tokens at most${nullThreshold === undefined ? "" : `, null threshold ${nullThreshold}`}`,
    },
  });
  writeEvaluationEvents(folder, evaluation);
  return page;
}
