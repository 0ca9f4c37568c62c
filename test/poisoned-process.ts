/**
 * Loaded into inference processes before anything else (NODE_OPTIONS=--import=…), this makes them crash or hang as native code would, when a
 * question asks for it: "CRASH TOKENISING", "CRASH RUNNING", "HANG".
 */
import type { ToProcess } from "../src/serve/messages.js";

const crashRunning = new Set<number>();
if (process.send !== undefined) {
  process.on("message", (message: ToProcess) => {
    if (message.type === "prepare") {
      const asked = message.reading.questions.map(({ question }) => question).join();
      if (asked.includes("CRASH TOKENISING")) process.kill(process.pid, "SIGSEGV");
      if (asked.includes("CRASH RUNNING")) crashRunning.add(message.id);
      if (asked.includes("HANG")) for (;;);
    }
    if (message.type === "run" && message.windows.some(({ id }) => crashRunning.has(id))) process.kill(process.pid, "SIGSEGV");
  });
}
