/**
 * What `predict` has done so far, so that a kill at any moment costs little: a file to which each finished group of questions is added as one
 * line of JSON, forced to the disk, under a first line that says what was asked of which model. A line cut off by a kill is cut away when the
 * file is opened again. Once all questions are answered, the journal gives way to the prediction files and a record of that first line.
 */
import { existsSync } from "node:fs";
import { type FileHandle, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { recoverFolder, writeFileAtomic, writeFilesAtomic } from "../checkpoint/atomic.js";
import { parseJson, readLines } from "../data/json-text.js";
import { InternalError, LecternError } from "../errors.js";
import { makeFolder } from "../files/make-folder.js";
import { writingError } from "../files/system-errors.js";
import { type AnsweredQuestion, predictionFileNames, writePredictionFiles } from "./prediction-files.js";

/** What predictions depend on, each part as text to compare. */
export type PredictionIdentity = Readonly<Record<string, string>>;

const journalName = "predictions.journal.jsonl";
const recordName = "predictions.record.json";

export interface PredictionJournal {
  /** Groups whose answers are safe. */
  readonly groups: number;
  /** All answers were written by an earlier run: there is nothing left to do. */
  readonly isComplete: boolean;
  /** Adds the answers of the next group; they are on the disk when it returns. */
  add(answered: readonly AnsweredQuestion[]): Promise<void>;
  /** Writes the prediction files, all or none, and ends the journal. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the journal of an output folder, or begins one.
 * @param restart forget what is there and begin anew; finished predictions stay until new ones take their place
 * @throws LecternError PREDICTIONS_IN_USE when the folder holds predictions of another model, other data or other options
 */
export async function openPredictionJournal(folder: string, identity: PredictionIdentity, restart: boolean): Promise<PredictionJournal> {
  await makeFolder(folder);
  await recoverFolder(folder);
  const [journal, record] = [path.join(folder, journalName), path.join(folder, recordName)];
  if (restart) await rm(journal, { force: true });
  const begun = existsSync(journal);
  if (!restart) await refuseOthers(folder, begun ? journal : record, identity);
  if (!begun && !restart && existsSync(record)) return completeJournal;
  if (!begun) await writeFileAtomic(journal, `${JSON.stringify(identity)}\n`);
  const groups = await cutToWholeLines(journal);
  return openJournal(folder, journal, identity, groups);
}

const completeJournal: PredictionJournal = {
  groups: 0,
  isComplete: true,
  add: () => Promise.reject(new InternalError("predictions were added to a finished journal")),
  finish: async () => undefined,
  close: async () => undefined,
};

async function openJournal(folder: string, journal: string, identity: PredictionIdentity, groups: number): Promise<PredictionJournal> {
  const handle: FileHandle = await open(journal, "a");
  return {
    groups,
    isComplete: false,
    add: async (answered) => {
      try {
        await handle.write(`${JSON.stringify(answered)}\n`);
        await handle.sync();
      } catch (error) {
        throw writingError(error, journal);
      }
    },
    finish: async () => {
      await handle.close();
      const fill = async (temporary: string) => {
        await writePredictionFiles(temporary, journalledAnswers(journal));
        await writeFile(path.join(temporary, recordName), `${JSON.stringify(identity, null, 1)}\n`);
      };
      await writeFilesAtomic(folder, fill, () => [journalName]);
    },
    close: () => handle.close(),
  };
}

async function* journalledAnswers(journal: string): AsyncGenerator<AnsweredQuestion> {
  for await (const { text, number } of readLines(journal))
    if (number > 1) yield* parseJson(text(), `${journal}: line ${number}`) as AnsweredQuestion[];
}

/** Cuts off what stands behind the last line feed: a group that was being written when its process was killed. Returns the groups that are whole. */
async function cutToWholeLines(journal: string): Promise<number> {
  const handle = await open(journal, "r");
  const buffer = Buffer.alloc(1 << 20);
  let [length, end, lines] = [0, 0, 0];
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, length);
      if (bytesRead === 0) break;
      for (let at = buffer.indexOf(10); at >= 0 && at < bytesRead; at = buffer.indexOf(10, at + 1)) {
        lines++;
        end = length + at + 1;
      }
      length += bytesRead;
    }
  } finally {
    await handle.close();
  }
  if (end < length) await truncate(journal, end);
  return lines - 1;
}

/** @param file the journal or the record that says what the folder's predictions are of */
async function refuseOthers(folder: string, file: string, identity: PredictionIdentity): Promise<void> {
  const refuse = (received: string) =>
    new LecternError("PREDICTIONS_IN_USE", {
      message: `${folder} already holds predictions, and not those that are asked for.`,
      expected: "a new or empty folder, or one with predictions of the same model, data and options",
      received,
      next: "Ask for the same again to carry on, choose another --out, or start over with --restart.",
    });
  if (!existsSync(file)) {
    const found = predictionFileNames.filter((name) => existsSync(path.join(folder, name)));
    if (found.length > 0) throw refuse(`${found.join(", ")}, written by something else`);
    return;
  }
  const before = parseIdentity(await readFile(file, "utf8"), file.endsWith(journalName));
  if (before === undefined) throw refuse(`${path.basename(file)}, which cannot be read`);
  const changed = [...new Set([...Object.keys(before), ...Object.keys(identity)])].filter((part) => before[part] !== identity[part]);
  const shown = (value: unknown) => (typeof value === "string" ? (/^[0-9a-f]{64}$/.test(value) ? "another" : value) : "not set");
  if (changed.length > 0)
    throw refuse(
      changed
        .map((part) => `${part}: ${shown(before[part])} before, ${shown(identity[part]).replace("another", "this one")} now`)
        .join("; "),
    );
}

function parseIdentity(text: string, isJournal: boolean): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(isJournal ? text.slice(0, text.indexOf("\n") + 1) : text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
