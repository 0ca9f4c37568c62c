/**
 * An evaluation as TensorBoard shows it, beside the curves of training: the figures under the tags that training has (eval/f1, …), and histograms
 * of the scores and of the lengths in tokens.
 */
import path from "node:path";
import { writingError } from "../files/system-errors.js";
import type { ModelEvaluation } from "../evaluate/evaluate-model.js";
import type { ExampleResult } from "../evaluate/example-results.js";
import { EventFile } from "./tensorboard-records.js";
import { checkpointStep } from "./trainer-state.js";

/**
 * Writes an event file. Its step is that of the checkpoint that was evaluated, else 0; what an earlier evaluation wrote into the folder is no
 * longer shown.
 * @param folder must exist
 * @throws LecternError FILE_NOT_WRITABLE, DISK_FULL
 */
export function writeEvaluationEvents(
  folder: string,
  { folder: model, metrics, tokenLengths, results }: Pick<ModelEvaluation, "folder" | "metrics" | "tokenLengths"> & { results: readonly ExampleResult[] },
): void {
  const step = checkpointStep(path.resolve(model)) ?? 0;
  let file: EventFile | undefined;
  try {
    file = new EventFile(folder);
    file.sessionStart(0);
    for (const [name, value] of Object.entries(metrics)) file.scalar(`eval/${name}`, value, step);
    const histograms: Record<string, number[]> = {
      "eval/question_tokens": tokenLengths.question,
      "eval/context_tokens": tokenLengths.context,
      "eval/answer_tokens": tokenLengths.answer,
      "eval/f1_of_questions": results.map(({ f1 }) => f1),
      "eval/score_of_answers": results.map(({ probability }) => probability),
    };
    for (const [tag, values] of Object.entries(histograms)) file.histogram(tag, values, step);
  } catch (error) {
    throw writingError(error, folder);
  } finally {
    file?.close();
  }
}
