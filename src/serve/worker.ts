/**
 * The inference process: loads one model, tokenises requests, runs the windows it is told to, and answers a request when its last window has
 * run. Started by inference-process.ts with the model's folder, its ONNX file, the number of threads and the modules to import first; it ends when the
 * server goes away.
 */
import { nativeRuntime } from "../engine/index.js";
import { LecternError } from "../errors.js";
import { importModules } from "../files/own-modules.js";
import type { SpanLogits } from "../tasks/extractive/decode.js";
import type { Feature } from "../tasks/extractive/features.js";
import { inferSpans } from "../tasks/extractive/infer.js";
import { answersFrom, type PreparedQuestion, prepareQuestions } from "../tasks/extractive/prepared-question.js";
import { createReaderInference, openReader } from "../tasks/extractive/reader.js";
import type { BatchPart, FromProcess, Reading, SentError, ToProcess } from "./messages.js";

const [folder, onnxFile, threads, ...imports] = process.argv.slice(2);
const send = (message: FromProcess): void => void process.send!(message, () => {});
process.on("disconnect", () => process.exit());
// Ctrl-C in a terminal reaches every process of the group: the server decides when this one ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

try {
  const { isTrained, prepare, run, forget } = await openWorker();
  process.on("message", (message: ToProcess) => {
    if (message.type === "prepare") void prepare(message.id, message.reading, message.maxTokens);
    else if (message.type === "run") void run(message.windows);
    else forget(message.id);
  });
  send({ type: "loaded", isTrained, residentBytes: process.memoryUsage.rss() });
} catch (error) {
  process.send!({ type: "notLoaded", error: asSent(error) } satisfies FromProcess, () => process.exit(1));
}

async function openWorker() {
  await importModules(imports);
  const runtime = nativeRuntime({ threads: threads === "" ? undefined : Number(threads) });
  const reader = await openReader(runtime, folder, { seed: 0, maskPadding: true, onnxFile: onnxFile === "" ? undefined : onnxFile });
  const program = await createReaderInference(runtime, reader);
  /** Requests that are being tokenised. */
  const preparing = new Set<number>();
  /** Requests whose windows wait or run, with the logits that there are. */
  const held = new Map<number, { prepared: PreparedQuestion[]; windows: Feature[]; logits: SpanLogits[] }>();

  return {
    isTrained: reader.loaded.missing.length === 0,

    prepare: async (id: number, { questions, options }: Reading, maxTokens: number): Promise<void> => {
      preparing.add(id);
      try {
        const prepared = await prepareQuestions(reader, questions, options, { maxTokens });
        const windows = prepared.flatMap((question) => question.windows);
        if (preparing.has(id)) held.set(id, { prepared, windows, logits: [] }); // else forgotten meanwhile
        send({ type: "prepared", id, lengths: windows.map(({ length }) => length) });
      } catch (error) {
        send({ type: "refused", id, error: asSent(error) });
      } finally {
        preparing.delete(id);
      }
    },

    run: async (parts: readonly BatchPart[]): Promise<void> => {
      try {
        const present = parts.filter(({ id }) => held.has(id));
        const windows = present.flatMap(({ id, from, to }) => held.get(id)!.windows.slice(from, to));
        const { logits } = await inferSpans(reader, program, windows, { batchSize: Math.max(windows.length, 1) });
        let at = 0;
        const answered = present.flatMap(({ id, from, to }) => {
          const own = logits.slice(at, (at += to - from));
          const one = held.get(id);
          if (one === undefined) return []; // forgotten while it ran
          one.logits.push(...own);
          if (one.logits.length < one.windows.length) return [];
          held.delete(id);
          return [{ id, answers: answersFrom(reader, one.prepared, one.logits) }];
        });
        send({ type: "ran", answered, residentBytes: process.memoryUsage.rss() });
      } catch (error) {
        send({ type: "failed", error: asSent(error) });
      }
    },

    forget: (id: number): void => {
      preparing.delete(id);
      held.delete(id);
    },
  };
}

function asSent(error: unknown): SentError {
  if (error instanceof LecternError) return { message: error.message, code: error.code, detail: error.detail };
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { message, stack };
}
