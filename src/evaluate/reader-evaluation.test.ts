/** Figures of a whole evaluation: those of the scorer on the decoded answers, with the loss over the windows. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../test/engine/compute-graph.js";
import { starter, writeTinyReader } from "../../test/tiny-reader.js";
import { loadExamples, type QaExample } from "../data/examples.js";
import type { InferenceExecutor } from "../engine/index.js";
import { type Feature, makeFeatures } from "../tasks/extractive/features.js";
import { inferSpans } from "../tasks/extractive/infer.js";
import { createReaderInference, openReader, type Reader } from "../tasks/extractive/reader.js";
import { evaluateReader } from "./reader-evaluation.js";
import { evaluateSquad1, evaluateSquad2 } from "./squad.js";

let folder: string;
let reader: Reader;
let program: InferenceExecutor;
let examples: QaExample[];
let features: Feature[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lectern-evaluation-"));
  reader = await openReader(testRuntime(), await writeTinyReader(join(folder, "tiny")), { seed: 1, maskPadding: true });
  program = await createReaderInference(testRuntime(), reader);
  const { examples: loaded } = await loadExamples(join(starter, "squad/dev.json"), { limit: 20 });
  examples = loaded.map((example, index) => (index % 4 === 3 ? { ...example, answers: [], impossible: true } : example));
  features = (await makeFeatures(examples, reader.tokenizer, { maxLength: 96, stride: 32, forTraining: false })).features;
});
afterAll(() => rm(folder, { recursive: true }));

const options = { batchSize: 8, nBest: 20, maxAnswerLength: 30 };

describe("SQuAD 1.1", () => {
  test("always answers, and has the scorer's figures", async () => {
    const answerable = examples.filter(({ impossible }) => !impossible);
    const own = (await makeFeatures(answerable, reader.tokenizer, { maxLength: 96, stride: 32, forTraining: false })).features;
    const { metrics, answers } = await evaluateReader(reader, program, answerable, own, options);
    expect(Object.keys(metrics)).toEqual(["loss", "exact", "f1", "runtime", "samples", "windows", "questions_cut", "samples_per_second", "steps_per_second"]);
    const { exact_match, f1 } = evaluateSquad1(answerable, answers.predictions);
    expect([metrics.exact, metrics.f1]).toEqual([exact_match, f1]);
    expect([...answers.predictions.values()]).not.toContain("");
    expect(metrics.loss).toBeCloseTo((await inferSpans(reader, program, own, options)).loss, 6);
    expect([metrics.samples, metrics.windows]).toEqual([answerable.length, own.length]);
    expect(own.length).toBeGreaterThan(answerable.length);
    expect(metrics.samples_per_second).toBeCloseTo(own.length / metrics.runtime, 6);
    expect(metrics.steps_per_second).toBeCloseTo(Math.ceil(own.length / 8) / metrics.runtime, 6);
  });
});

describe("SQuAD 2.0", () => {
  test("has the official names, and figures with and without an answer", async () => {
    const { metrics, answers } = await evaluateReader(reader, program, examples, features, { ...options, nullThreshold: 0 });
    const expected = evaluateSquad2(examples, answers.predictions, { noAnswerScores: answers.nullOdds });
    expect(metrics).toMatchObject({ ...expected });
    expect(metrics).toMatchObject({ total: 20, HasAns_total: 15, NoAns_total: 5 });
    for (const name of ["best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh"]) expect(metrics[name]).toBeTypeOf("number");
  });

  test("the threshold decides where the answer is empty", async () => {
    const at = async (nullThreshold: number) =>
      (await evaluateReader(reader, program, examples, features, { ...options, nullThreshold })).answers;
    const [never, always, middle] = [await at(1e9), await at(-1e9), await at(0)];
    expect([...never.predictions.values()]).not.toContain("");
    expect(new Set(always.predictions.values())).toEqual(new Set([""]));
    for (const [id, text] of middle.predictions) expect(text === "").toBe(middle.nullOdds.get(id)! > 0);
    expect(middle.nullOdds).toEqual(never.nullOdds);
  });

  test("the threshold asked for is the only one: the script's own, of 1, holds back no answer below it", async () => {
    /** The same program with a higher score for having no answer: all null odds are above 1. */
    const raised: InferenceExecutor = {
      ...program,
      run: async (bindings, inputs) => {
        const outputs = await program.run(bindings, inputs);
        for (let row = 0; row < bindings.batch; row++) outputs.start_logits[row * bindings.seq] += 100;
        return outputs;
      },
    };
    const { metrics, answers } = await evaluateReader(reader, raised, examples, features, { ...options, nullThreshold: 1e9 });
    expect(Math.min(...answers.nullOdds.values())).toBeGreaterThan(1);
    expect([...answers.predictions.values()]).not.toContain("");
    expect(metrics).toMatchObject({ ...evaluateSquad2(examples, answers.predictions) });
    expect(metrics.NoAns_exact).toBe(0); // every unanswerable question was answered
  });

  test("an untouched answer sheet gives best figures no worse than those at the threshold", async () => {
    const { metrics } = await evaluateReader(reader, program, examples, features, { ...options, nullThreshold: 0 });
    expect(metrics.best_exact).toBeGreaterThanOrEqual(metrics.exact);
    expect(metrics.best_f1).toBeGreaterThanOrEqual(metrics.f1);
  });
});
