/** `lectern score`: predictions against data, by the metrics and names of the official SQuAD scripts. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Columns } from "../data/columns.js";
import { loadExamples } from "../data/examples.js";
import { dataWarnings } from "../data/report-lines.js";
import { statesVersion2 } from "../data/question-files.js";
import { readNoAnswerScores, readPredictions } from "../evaluate/squad-files.js";
import { evaluateSquad1, evaluateSquad2 } from "../evaluate/squad.js";
import { namedColumns, withExamples } from "./help.js";
import { Output } from "./output.js";

interface ScoreOptions {
  columns?: Columns;
  naProb?: string;
  threshold: number;
  metrics?: "1.1" | "2.0";
  json: boolean;
}

export function registerScore(program: Command): void {
  const command = program
    .command("score")
    .description("score predictions on SQuAD data, as the official scripts do")
    .argument("<data>", "questions with answers: JSON, JSON lines, CSV, TSV or parquet, or hub:ORG/NAME")
    .argument("<predictions>", "a JSON file {id: text}")
    .option("--columns <names>", "the files' own names of columns: question=Frage,context=Text", namedColumns)
    .option("--na-prob <file>", "a JSON file {id: number}: null odds, or probabilities of no answer")
    .option("--threshold <number>", 'a prediction counts as "" where its no-answer score is above this', number, 1)
    .addOption(new Option("--metrics <version>", "those of SQuAD 1.1 or 2.0 (default: by what the data is)").choices(["1.1", "2.0"]))
    .option("--json", "print the result as one line of JSON", false)
    .action(async (data: string, predictionsFile: string, options: ScoreOptions) => {
      const output = new Output(options.json);
      const { examples, report } = await loadExamples(data, { split: "evaluation", columns: options.columns, ids: "as given" });
      const predictions = await readPredictions(predictionsFile);
      const noAnswerScores = options.naProb === undefined ? undefined : await readNoAnswerScores(options.naProb);
      for (const line of dataWarnings(report)) output.note(line);
      const ids = new Set(examples.map((example) => example.id));
      const unanswered = examples.filter((example) => !predictions.has(example.id)).length;
      const unknown = [...predictions.keys()].filter((id) => !ids.has(id)).length;
      if (unknown > 0) output.note(`${unknown} predictions are for no question of the data.`);
      const version = options.metrics ?? (noAnswerScores === undefined && report.impossible === 0 && !statesVersion2(report) ? "1.1" : "2.0");
      if (report.repeatedIds > 0) {
        const rule = version === "1.1" ? "every question counts" : "the last question of an id counts";
        output.note(`${report.repeatedIds} of ${report.examples} questions have the id of an earlier one; as in the official script, ${rule}.`);
      }
      if (version === "1.1" && unanswered > 0) output.note(`${unanswered} of ${examples.length} questions have no prediction and score 0.`);
      const metrics =
        version === "1.1"
          ? evaluateSquad1(examples, predictions)
          : evaluateSquad2(examples, predictions, { noAnswerScores, threshold: options.threshold });
      output.result(metrics, () => JSON.stringify(metrics, null, 2));
    });
  withExamples(command, [
    { line: "lectern score dev.json predictions.json", does: "exact_match and f1, or the metrics of SQuAD 2.0 for its data" },
    { line: "lectern score dev.json predictions.json --na-prob null_odds.json", does: "and the best threshold for answering nothing" },
  ]);
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}
