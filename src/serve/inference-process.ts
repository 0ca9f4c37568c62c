/**
 * A process of its own for a model: whatever happens in native code there (a crash, a long computation, memory that is not given back)
 * stays there, and the server's event loop only passes messages.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromProcess, ToProcess } from "./messages.js";

/** Where a model is read from. */
export interface ModelSource {
  readonly folder: string;
  /** Which of its ONNX files; the usual choice where left out. */
  readonly onnxFile?: string;
}

export interface InferenceProcess {
  readonly pid: number | undefined;
  send(message: ToProcess): void;
  /** Ends it; resolves when it has ended. What runs in it is lost. */
  stop(): Promise<void>;
  /** Ends it as a crash would: `onEnd` is told. */
  kill(): void;
}

export interface ProcessEvents {
  onMessage(message: FromProcess): void;
  /** It ended without having been stopped. */
  onEnd(how: string): void;
}

/** How long a process that was asked to end may take, in milliseconds. */
const timeToEnd = 2000;

export interface ProcessOptions {
  /** Threads that compute; undefined: one a core. */
  readonly threads?: number;
  /** Modules that it imports first. */
  readonly imports?: readonly string[];
}

/** Starts the process of a model; it answers "loaded" or "notLoaded" first. */
export function startInferenceProcess(
  { folder, onnxFile = "" }: ModelSource,
  { threads, imports = [] }: ProcessOptions,
  { onMessage, onEnd }: ProcessEvents,
): InferenceProcess {
  const child = fork(fileURLToPath(new URL("./worker.js", import.meta.url)), [folder, onnxFile, String(threads ?? ""), ...imports], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let stopped = false;
  const ended = new Promise<void>((resolve) => {
    const end = (how: string): void => {
      resolve();
      if (!stopped) onEnd(how);
      stopped = true;
    };
    child.on("exit", (code, signal) => end(signal ?? `exit status ${code}`));
    child.on("error", (error) => child.pid === undefined && end(error.message)); // it could not be started
  });
  child.on("message", (message) => {
    if (!stopped) onMessage(message as FromProcess);
  });
  return {
    pid: child.pid,
    send: (message) => void child.send(message, () => {}), // a closed channel means that its end is about to be told
    stop: async () => {
      stopped = true;
      if (child.connected) child.disconnect(); // the process ends itself when the channel closes
      const timer = setTimeout(() => child.kill("SIGKILL"), timeToEnd);
      await ended;
      clearTimeout(timer);
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
