/**
 * Every verb, in the order that the help shows them. A new verb is one file and one line here. A verb's file is loaded when the verb is
 * called, and all files for the help: charts, schemas and parquet take longer to load than a question takes to be answered.
 */
import type { RegisterVerb } from "./program.js";

const verbs: Readonly<Record<string, () => Promise<RegisterVerb>>> = {
  quickstart: async () => (await import("./quickstart.js")).registerQuickstart,
  train: async () => (await import("./train.js")).registerTrain,
  evaluate: async () => (await import("./evaluate.js")).registerEvaluate,
  sweep: async () => (await import("./sweep.js")).registerSweep,
  ask: async () => (await import("./ask.js")).registerAsk,
  predict: async () => (await import("./predict.js")).registerPredict,
  score: async () => (await import("./score.js")).registerScore,
  inspect: async () => (await import("./inspect.js")).registerInspect,
  pull: async () => (await import("./pull.js")).registerPull,
  push: async () => (await import("./push.js")).registerPush,
  convert: async () => (await import("./convert.js")).registerConvert,
  export: async () => (await import("./export.js")).registerExport,
  quantize: async () => (await import("./quantize.js")).registerQuantize,
  doctor: async () => (await import("./doctor.js")).registerDoctor,
  serve: async () => (await import("./serve.js")).registerServe,
  parity: async () => (await import("./parity.js")).registerParity,
};

/**
 * The verbs that a command line needs: the one it names, or all where it names none, or one that does not exist.
 * @param words the arguments after the program's name
 */
export async function loadVerbs(words: readonly string[] = []): Promise<RegisterVerb[]> {
  const [word = ""] = words;
  const needed = Object.hasOwn(verbs, word) ? [verbs[word]] : Object.values(verbs);
  return Promise.all(needed.map((load) => load()));
}
