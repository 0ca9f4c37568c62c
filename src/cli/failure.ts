/**
 * The end of a command that failed. A user's mistake (LecternError) is told without a stack, with what to do next, exit code 1; anything
 * else is a mistake of ours, told with its stack and a request to report it, exit code 70 (EX_SOFTWARE in BSD's sysexits.h).
 */
import { CommanderError } from "commander";
import { LecternError } from "../errors.js";
import { readingError, systemCode, writingError } from "../files/system-errors.js";
import { messageColors } from "./output.js";

export const exitCodes = { userMistake: 1, internal: 70, interrupted: 130 } as const;

/** What the program adds to an error of the command line's parser: the verb whose arguments were wrong. */
export interface MistakenVerb {
  verb: string;
}

export interface Failure {
  exitCode: number;
  /** What to write to stderr; empty when the command ended well (--help). */
  text: string;
}

/**
 * How an error is told.
 *
 * @param json as one line of JSON: {"error":{"code","message","expected","received","next"}}
 */
export function describeFailure(thrown: unknown, json: boolean): Failure {
  if (thrown instanceof CommanderError && (thrown.exitCode === 0 || thrown.code === "commander.help")) {
    return { exitCode: thrown.exitCode, text: "" }; // help or version, printed already; without a verb the help is an error
  }
  const error = asLecternError(thrown);
  if (error instanceof LecternError) {
    const { code, detail } = error;
    return { exitCode: exitCodes.userMistake, text: json ? jsonLine({ code, ...detail }) : inColor(error) };
  }
  const cause = error instanceof Error ? error : new Error(String(error));
  if (json) return { exitCode: exitCodes.internal, text: jsonLine({ code: "INTERNAL", message: cause.message, stack: cause.stack }) };
  const stack = `${cause.stack ?? cause.message}${cause.cause instanceof Error ? `\ncaused by: ${cause.cause.stack}` : ""}`;
  return {
    exitCode: exitCodes.internal,
    text: `${messageColors.red(stack)}\nThis is a mistake in Lectern, not yours. Please report it with the lines above.\n`,
  };
}

/** A command line that could not be parsed and a disk that is full are the user's to mend, wherever they come up. */
function asLecternError(thrown: unknown): unknown {
  if (thrown instanceof CommanderError) {
    return new LecternError("USAGE", {
      message: thrown.message.replace(/^error: /, ""),
      next: `See npx lectern ${"verb" in thrown ? `${(thrown as CommanderError & MistakenVerb).verb} ` : ""}--help.`,
    });
  }
  const path = thrown instanceof Error && "path" in thrown && typeof thrown.path === "string" ? thrown.path : undefined;
  if (path !== undefined && systemCode(thrown) === "ENOENT") return readingError(thrown, path, "a file that is there");
  return writingError(thrown, path ?? "a file");
}

function inColor({ code, detail }: LecternError): string {
  const lines = [messageColors.red(harmless(`error ${code}: ${detail.message}`))];
  if (detail.expected !== undefined) lines.push(harmless(`  expected: ${detail.expected}`));
  if (detail.received !== undefined) lines.push(harmless(`  received: ${detail.received}`));
  if (detail.next !== undefined) lines.push(`  next: ${messageColors.bold(harmless(detail.next))}`);
  return `${lines.join("\n")}\n`;
}

/** What a file holds is repeated in messages, and must not steer the terminal: control characters are shown as their codes. */
function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function jsonLine(error: Record<string, unknown>): string {
  return `${JSON.stringify({ error })}\n`;
}
