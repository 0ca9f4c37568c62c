/**
 * Answers as files in the forms of the SQuAD scripts: predictions.json {id: text}, null_odds.json {id: number} and nbest_predictions.json
 * {id: [{text, start, end, score, probability}]}, the ids in the order of the data. Written piece by piece: the n-best of a large data
 * set are longer than the longest string.
 */
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import type { DecodedAnswers, Span } from "../tasks/extractive/decode.js";

/** What is known of one question once it is answered. */
export interface AnsweredQuestion {
  readonly id: string;
  /** "" for no answer. */
  readonly prediction: string;
  readonly nullOdds: number;
  readonly nBest: readonly Span[];
}

/** Decoded answers question by question. */
export function* answeredQuestions({ predictions, nullOdds, nBest }: DecodedAnswers): Generator<AnsweredQuestion> {
  for (const [id, prediction] of predictions) yield { id, prediction, nullOdds: nullOdds.get(id)!, nBest: nBest.get(id)! };
}

const files: readonly { name: string; value: (answered: AnsweredQuestion) => unknown }[] = [
  { name: "predictions.json", value: ({ prediction }) => prediction },
  { name: "null_odds.json", value: ({ nullOdds }) => nullOdds },
  { name: "nbest_predictions.json", value: ({ nBest }) => nBest },
];

export const predictionFileNames: readonly string[] = files.map(({ name }) => name);

/** Text gathered before it is written, in code units. */
const bufferLength = 1 << 20;

/**
 * Writes the three files into a folder: one that is put in place as a whole (`writeFilesAtomic`), for they belong together.
 * @example
 * await writeFilesAtomic("answers", (folder) => writePredictionFiles(folder, answeredQuestions(answers)));
 */
export async function writePredictionFiles(
  folder: string,
  answered: Iterable<AnsweredQuestion> | AsyncIterable<AnsweredQuestion>,
): Promise<void> {
  const handles: FileHandle[] = [];
  try {
    for (const { name } of files) handles.push(await open(path.join(folder, name), "w"));
    const texts = files.map(() => "{");
    let isFirst = true;
    for await (const one of answered) {
      for (const [index, { value }] of files.entries()) {
        texts[index] += `${isFirst ? "" : ","}\n ${JSON.stringify(one.id)}: ${indented(value(one))}`;
        if (texts[index].length < bufferLength) continue;
        await handles[index].write(texts[index]);
        texts[index] = "";
      }
      isFirst = false;
    }
    for (const [index, handle] of handles.entries()) await handle.write(`${texts[index]}${isFirst ? "" : "\n"}}\n`);
  } finally {
    for (const handle of handles) await handle.close();
  }
}

/** As JSON.stringify(…, null, 1) writes a value one level deep. */
function indented(value: unknown): string {
  return JSON.stringify(value, null, 1).replaceAll("\n", "\n ");
}
