/** The queue of the event loop itself: programs run as they were compiled, on all threads, and rows are copied while they do. */
import { doOnHost } from "./host-commands.js";
import type { Command, Queue, RunOptions } from "./runtime.js";

/** Opens a queue that works on any runtime. */
export function sharedQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return {
    submit: (commands, options) => {
      const turn = last.then(() => perform(commands, options));
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}

async function perform(commands: readonly Command[], options?: RunOptions): Promise<Float32Array[]> {
  const results: Float32Array[] = [];
  let running: Promise<void> | undefined;
  for (const command of commands) {
    // What stands behind a program may need its outputs, but rows are copied for the next one: they need not wait.
    if (command.do !== "copyRows") await running;
    if (command.do === "run") {
      running = command.program.run(command.inputs, command.outputs, options);
      running.catch(() => undefined); // told where it is waited for
    } else doOnHost(command, results);
  }
  await running;
  return results;
}
