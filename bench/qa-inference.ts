/**
 * Answering side by side: exported readers in our runtime, and ../shared/peers/qa_inference.py, which runs the same model on the same windows with
 * PyTorch and with ONNX Runtime's own exporter, quantiser and Python package. Both sort the windows by length, and both take their best of
 * several passes; ours are timed before and after the peer's.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { loadExamples } from "../src/data/examples.js";
import { nativeRuntime } from "../src/engine/index.js";
import { LecternError } from "../src/errors.js";
import { exportReader } from "../src/export/export-reader.js";
import type { Proof } from "../src/export/proof.js";
import { makeFeatures } from "../src/tasks/extractive/features.js";
import { inferSpans } from "../src/tasks/extractive/infer.js";
import { createReaderInference, openReader, saveReader } from "../src/tasks/extractive/reader.js";
import { findPeer, peerFolder } from "./peer.js";
import { jsonObjects, runMeasured } from "./process.js";

const questions = 300;
const passes = 2;
/** The files that are timed, by what the result calls them. */
const timed = {
  fp32: "model",
  fp32_optimized: "model_optimized",
  int8: "model_quantized",
  int8_optimized: "model_optimized_quantized",
} as const;
type Timed = keyof typeof timed;
const targets = { fp32_to_ort_fp32: 1, fp32_to_torch_fp32: 2.5, int8_to_ort_int8: 1.2 } as const;

export interface QaInferenceOptions {
  readonly root: string;
  /** A trained reader whose F1 is measured before and after quantisation. */
  readonly model?: string;
  readonly peer: boolean;
}

/** Windows a second of each file and of the peer, their ratios, and with a trained reader what becomes of its F1. */
export async function benchQaInference({ root, model, peer: withPeer }: QaInferenceOptions): Promise<object> {
  const peer = withPeer
    ? findPeer(root, { program: "qa_inference.py", packages: ["torch", "transformers", "onnx", "onnxruntime"] })
    : undefined;
  const data = join(dirname(peerFolder(root)), "data", "squad-v1.1-dev.json");
  const folder = await mkdtemp(join(tmpdir(), "lectern-qa-inference-"));
  try {
    const accuracy = model === undefined ? undefined : await accuracyOf(resolve(root, model), join(folder, "scored"), data);
    const race = await openRace(join(dirname(peerFolder(root)), "models", "minilm-l6"), folder, data);
    const best: Partial<Record<Timed, number>> = {};
    await race.run(best, passes);
    const theirs = peer === undefined ? undefined : await peerFigures(peer.python, peer.script);
    if (theirs !== undefined) await race.run(best, passes);
    race.release();
    const ratios = theirs && {
      fp32_to_ort_fp32: best.fp32! / theirs.ort_fp32,
      fp32_to_torch_fp32: best.fp32! / theirs.torch_fp32,
      int8_to_ort_int8: best.int8! / theirs.ort_int8,
    };
    return {
      questions,
      windows: race.windows,
      ours_features_per_second: best,
      ...(theirs && { peer_features_per_second: theirs, peer_versions: peer!.versions, ratios, targets }),
      ...(accuracy && { accuracy }),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The base model with a random head, as the peer has it, exported and opened; the first questions in one window each, as the peer cuts them. */
async function openRace(base: string, folder: string, data: string) {
  const runtime = nativeRuntime();
  await saveReader(join(folder, "model"), await openReader(runtime, base, { seed: 42, maskPadding: true }));
  const exported = join(folder, "exported");
  await exportReader(join(folder, "model"), exported, { format: "onnx", types: ["fp32", "int8"], optimized: true, runtime });
  const { examples } = await loadExamples([data], { limit: questions });
  const readers = await Promise.all(
    Object.entries(timed).map(async ([name, onnxFile]) => {
      const reader = await openReader(runtime, exported, { seed: 0, maskPadding: true, onnxFile });
      return { name: name as Timed, reader, program: await createReaderInference(runtime, reader) };
    }),
  );
  const { features } = await makeFeatures(examples, readers[0].reader.tokenizer, { maxLength: 384, forTraining: false });
  return {
    windows: features.length,
    run: async (best: Partial<Record<Timed, number>>, times: number) => {
      for (let pass = 0; pass < times; pass++) {
        for (const { name, reader, program } of readers) {
          const started = performance.now();
          await inferSpans(reader, program, features, { batchSize: 16 });
          const rate = (1000 * features.length) / (performance.now() - started);
          best[name] = Math.max(best[name] ?? 0, rate);
          process.stderr.write(`${name.padEnd(16)}${rate.toFixed(1).padStart(8)} windows/s\n`);
        }
      }
    },
    release: () => readers.forEach(({ program }) => program.release()),
  };
}

async function peerFigures(python: string, script: string): Promise<Record<"torch_fp32" | "ort_fp32" | "ort_int8", number>> {
  const { lines } = await runMeasured(python, [script, "--n", String(questions)], { directory: dirname(script) });
  const figures = jsonObjects(lines).find((object) => "ort_int8" in object);
  if (figures !== undefined) return figures as Record<"torch_fp32" | "ort_fp32" | "ort_int8", number>;
  throw new LecternError("BENCH_PROCESS_FAILED", {
    message: "The peer ended without printing its figures.",
    expected: "a JSON line with torch_fp32, ort_fp32 and ort_int8",
    received: lines.at(-1),
    next: "Run the same command by itself.",
  });
}

/** EM and F1 of a trained reader on all questions, in float32 and in int8. */
async function accuracyOf(model: string, to: string, data: string): Promise<Record<string, Proof>> {
  const { files } = await exportReader(model, to, { format: "onnx", types: ["fp32", "int8"], data: [data], maxF1Loss: 100 });
  return Object.fromEntries(files.map(({ type, proof }) => [type, proof]));
}
