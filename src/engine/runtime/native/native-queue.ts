/** The calling side of a queue with a thread of its own: commands become plain numbers and bytes, which a worker thread can be sent. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Command, Queue } from "../runtime.js";
import { addressOf, type CApi } from "./c-api.js";
import { type NativeProgram, withRunOptions } from "./native-program.js";
import type { NativeTensor } from "./native-tensor.js";
import type { Done, Place, Task, ThreadCommand } from "./queue-thread.js";

/** The queues of the process, by number. */
const queues = new Map<number, Promise<Queue>>();

/** The queue of this number; its thread is started where there is none. */
export function nativeQueue(index: number, api: CApi): Promise<Queue> {
  let queue = queues.get(index);
  if (queue === undefined) queues.set(index, (queue = openQueue(api, () => queues.delete(index))));
  return queue;
}

/** Starts a thread, and calls `onEnd` if it ends, which it should not. */
async function openQueue(api: CApi, onEnd: () => void): Promise<Queue> {
  const worker = startThread();
  const waiting: { resolve: (results: Float32Array[]) => void; reject: (error: Error) => void; commands: readonly Command[] }[] = [];
  let ended: Error | undefined;
  const end = (error: Error) => {
    ended ??= error;
    for (const { reject } of waiting.splice(0)) reject(ended);
    onEnd();
  };
  worker.on("error", end);
  worker.on("exit", () => end(new Error("internal: the thread of a queue has ended")));
  worker.on("message", ({ error, results }: Done) => {
    const { resolve, reject } = waiting.shift()!;
    if (error === undefined) resolve(results);
    else reject(new Error(error));
    if (waiting.length === 0) worker.unref(); // a queue that has nothing to do keeps no process alive
  });
  const queue: Queue = {
    submit: (commands, options = {}) =>
      withRunOptions(api, options, (runOptions) => {
        if (ended !== undefined) throw ended;
        const task: Task = { commands: commands.map(asSent), runOptions };
        worker.ref();
        worker.postMessage(task);
        // `commands` keeps the memory of tensors and programs from being collected until the thread has answered.
        return new Promise((resolve, reject) => waiting.push({ resolve, reject, commands }));
      }),
  };
  await queue.submit([]);
  return queue;
}

function startThread(): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./queue-thread.js", import.meta.url));
  // Run from its sources, as tests and benchmarks are, the thread first needs what reads TypeScript.
  const source = JSON.stringify(fileURLToPath(new URL("./queue-thread.ts", import.meta.url)));
  const start = `const load = require("node:module").createRequire(${source}); load("tsx/cjs/api").register(); load(${source});`;
  return new Worker(start, { eval: true });
}

function asSent(command: Command): ThreadCommand {
  if (command.do === "run") return { do: "run", call: (command.program as NativeProgram).callWith(command.inputs, command.outputs) };
  return { ...command, tensor: placeOf(command.tensor as NativeTensor) };
}

function placeOf({ data, dtype }: NativeTensor): Place {
  return { address: addressOf(data), dtype, count: data.length };
}
