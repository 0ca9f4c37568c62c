/**
 * What goes where: the result that was asked for goes to stdout, as text or with --json as JSON and nothing else; whatever tells of the way
 * there (progress, notes, errors) goes to stderr, and with --json only errors do.
 */
import pc from "picocolors";
import { type DisplayStream, ProgressDisplay } from "../train/progress-display.js";

const useColor = (stream: { isTTY?: boolean }): boolean => pc.isColorSupported && stream.isTTY === true;

/** Colours for stdout and stderr: only on a terminal, and not where NO_COLOR is set. */
export const resultColors = pc.createColors(useColor(process.stdout));
export const messageColors = pc.createColors(useColor(process.stderr));

export class Output {
  /** @param json whether the verb was called with --json. */
  constructor(readonly json: boolean) {}

  /** A remark on the way. */
  note(text: string): void {
    if (!this.json) process.stderr.write(`${text}\n`);
  }

  /** The result: `value` as one line of JSON, or the text made of it. Called once by most verbs, once an event by those that go on. */
  result(value: unknown, text: () => string): void {
    process.stdout.write(`${this.json ? JSON.stringify(value) : text()}\n`);
  }

  /** Live progress on stderr; silent with --json. */
  progress(): ProgressDisplay {
    const silent: DisplayStream = { write: () => true };
    return new ProgressDisplay(this.json ? silent : process.stderr);
  }
}
