/** Runs a TypeScript file of the project as a process of its own, and waits for what it prints. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compiledSources } from "./compiled-sources.js";

const root = new URL("..", import.meta.url);

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunningProcess {
  process: ChildProcessWithoutNullStreams;
  ended: Promise<Ended>;
  /** Resolves when the process has printed the text on either stream; fails when it ends without. */
  printed: (text: string) => Promise<void>;
}

interface StartOptions {
  /** The folder it runs in. */
  cwd: string;
  env?: Record<string, string>;
}

/** Starts any TypeScript file, through a loader. */
export function startTypeScript(file: string, words: string[], options: StartOptions): RunningProcess {
  return start(["--import", import.meta.resolve("tsx"), fileURLToPath(new URL(file, root)), ...words], options);
}

/**
 * Starts a file of src/ or test/, which takes a third of the time.
 * @param file relative to the project's root
 */
export function startOwn(file: string, words: string[], options: StartOptions): RunningProcess {
  return start([join(compiledSources(), file.replace(/\.ts$/, ".js")), ...words], options);
}

/** Starts a Python program given as text. */
export function startPython(python: string, program: string, options: StartOptions): RunningProcess {
  return start(["-c", program], options, python);
}

function start(words: string[], { cwd, env }: StartOptions, executable = process.execPath): RunningProcess {
  const child = spawn(executable, words, { cwd, env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...env } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<Ended>((resolve) => child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr })));
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(text) || stderr.includes(text)) resolve();
      };
      child.stdout.on("data", look);
      child.stderr.on("data", look);
      look();
      void ended.then(() => reject(new Error(`it ended without printing ${JSON.stringify(text)}:\n${stdout}${stderr}`)));
    });
  return { process: child, ended, printed };
}
