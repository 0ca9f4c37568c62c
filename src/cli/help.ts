/** Help texts that every verb shares the form of: examples under the options, and number arguments that say what they expect. */
import { type Command, InvalidArgumentError } from "commander";
import { type Columns, columnsOfText, givenColumnNames } from "../data/columns.js";
import type { AlignToWords } from "../tasks/extractive/answer-places.js";

/** Adds examples below a verb's options, each `lectern …` as it is typed beside the package: with npx. */
export function withExamples(command: Command, examples: readonly { line: string; does: string }[]): Command {
  const width = Math.max(...examples.map(({ line }) => line.length));
  const lines = examples.map(({ line, does }) => `  npx ${line.padEnd(width)}  ${does}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Parser of an option that takes a whole number, e.g. `.option("--limit <n>", "…", wholeNumber(1))`. */
export function wholeNumber(least: number, most = 1e9): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text.trim()) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`It must be a whole number, at least ${least}.`);
    }
    if (value > most) throw new InvalidArgumentError(`It must be at most ${most}.`);
    return value;
  };
}

/** Parser of --stride: none is one window a question. */
export function windowStride(text: string): number | null {
  return /^(none|null)$/i.test(text) ? null : wholeNumber(0)(text);
}

/** Parser of --align-to-words. */
export function alignment(text: string): AlignToWords {
  const known: Readonly<Record<string, AlignToWords>> = { auto: "auto", true: true, false: false };
  const value = Object.hasOwn(known, text.toLowerCase()) ? known[text.toLowerCase()] : undefined;
  if (value === undefined) throw new InvalidArgumentError("It must be auto, true or false.");
  return value;
}

/** What --align-to-words says of itself, in every verb. */
export const alignmentHelp = "widen answers to the tokenizer's words: true, false, or auto: where the script has spaces between words (default: auto)";

/** Parser of --threads: more are a mistake, and would be started. */
export const threadCount = wholeNumber(1, 1024);

/** Parser of an option that takes any number. */
export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

/** Parser of --columns: our names of columns and the files' own. */
export function namedColumns(text: string): Columns {
  const columns = columnsOfText(text);
  if (columns === undefined) throw new InvalidArgumentError(`It must be OURS=THEIRS,…, with ours of ${givenColumnNames.join(", ")}.`);
  return columns;
}

/** Collects an option that may be given several times. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
