/**
 * Runs a program to be measured: one child process, its lines as they come, and the most memory it ever held. The peak is the
 * kernel's own high-water mark (VmHWM in /proc/PID/status, Linux), polled, so both sides of a comparison are measured in the same way.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { LecternError } from "../src/errors.js";

const pollMilliseconds = 50;

export interface MeasuredRun {
  /** Lines of standard output. */
  lines: string[];
  /** Largest resident memory in bytes; undefined where the system has no /proc. */
  peakMemory: number | undefined;
}

/** The high-water mark of a process's resident memory in bytes; undefined when it has ended or the system has no /proc. */
export function peakMemoryOf(pid: number): number | undefined {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}

/**
 * Runs `command` to its end and measures it. Both its outputs are shown on standard error, because standard output is for the result.
 * Throws BENCH_PROCESS_FAILED when it cannot be started or ends with another status than 0.
 */
export async function runMeasured(command: string, args: string[], options: { directory: string }): Promise<MeasuredRun> {
  process.stderr.write(`\n$ ${[command, ...args].join(" ")}\n`);
  const child = spawn(command, args, { cwd: options.directory, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (status, signal) => resolve(signal ?? String(status)));
  });
  let peakMemory: number | undefined;
  const poll = setInterval(() => {
    const now = child.pid === undefined ? undefined : peakMemoryOf(child.pid);
    if (now !== undefined) peakMemory = now; // a high-water mark only grows
  }, pollMilliseconds);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    process.stderr.write(`${line}\n`);
  });
  const outcome = await ended;
  clearInterval(poll);
  if (outcome !== "0") {
    throw new LecternError("BENCH_PROCESS_FAILED", {
      message: `${[command, ...args].join(" ")} did not finish.`,
      expected: "exit status 0",
      received: outcome,
      next: "Read what it printed above, and run the same command by itself.",
    });
  }
  return { lines, peakMemory };
}

/** The JSON objects among the lines that a program printed. */
export function jsonObjects(lines: string[]): Record<string, unknown>[] {
  return lines.flatMap((line) => {
    if (!line.startsWith("{")) return [];
    try {
      return [JSON.parse(line) as Record<string, unknown>];
    } catch {
      return []; // Python's dictionaries look alike
    }
  });
}
