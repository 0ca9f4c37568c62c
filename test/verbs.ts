/** Runs a verb in this process and keeps what it prints: quick where no signal or exit is at stake. */
import { vi } from "vitest";
import { describeFailure } from "../src/cli/failure.js";
import { createProgram, type RegisterVerb } from "../src/cli/program.js";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  /** Notes, and the error where it failed. */
  readonly stderr: string;
}

/** Runs `lectern WORDS` with these verbs. */
export async function runVerb(register: RegisterVerb | readonly RegisterVerb[], ...words: string[]): Promise<Ran> {
  const printed = { stdout: "", stderr: "" };
  const catching = (stream: "stdout" | "stderr") =>
    vi.spyOn(process[stream], "write").mockImplementation((text) => ((printed[stream] += String(text)), true));
  const spies = [catching("stdout"), catching("stderr")];
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await createProgram(Array.isArray(register) ? (register as RegisterVerb[]) : [register as RegisterVerb]).parseAsync(words, {
      from: "user",
    });
    return { exitCode: Number(process.exitCode), ...printed };
  } catch (error) {
    const { exitCode, text } = describeFailure(error, words.includes("--json"));
    return { exitCode, stdout: printed.stdout, stderr: printed.stderr + text };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = before;
  }
}
