import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { loadExamples, type QaExample } from "../../data/examples.js";
import { Tokenizer } from "../../text/tokenizer.js";
import { contextTokens, makeFeatures, type FeatureOptions } from "./features.js";

const tokenizer = await Tokenizer.fromFolder("starter/minilm-l6");

function example(context: string, question: string, answers: [text: string, start: number][], id = "1"): QaExample {
  return { id, question, context, answers: answers.map(([text, start]) => ({ text, start })), impossible: answers.length === 0 };
}

async function featuresOf(examples: QaExample[], options: Partial<FeatureOptions> = {}) {
  return makeFeatures(examples, tokenizer, { maxLength: 384, stride: 128, forTraining: true, ...options });
}

describe("the labels of Hugging Face's scripts", async () => {
  interface Golden {
    max_length: number;
    stride: number | null;
    starts: number[];
    ends: number[];
    tokens: number;
    ids: number;
  }
  /** From reference/make_label_goldens.py. */
  const goldens = JSON.parse(await readFile("test/label-goldens.json", "utf8")) as Golden[];
  const { examples } = await loadExamples("starter/squad/dev.json");

  it.each(goldens)("max_length $max_length, stride $stride", async (golden) => {
    const { features, report } = await featuresOf(examples, { maxLength: golden.max_length, stride: golden.stride ?? undefined });
    expect(features.map((feature) => feature.start)).toEqual(golden.starts);
    expect(features.map((feature) => feature.end)).toEqual(golden.ends);
    expect(report.tokens).toBe(golden.tokens);
    const ids = features
      .flatMap((feature) => Array.from(feature.ids, (id, i) => id * i))
      .reduce((sum, value) => (sum + value) % (2 ** 31 - 1), 0);
    expect(ids).toBe(golden.ids);
    expect(report.windows).toBe(golden.starts.length);
    expect(report.windowsWithoutAnswer).toBe(golden.starts.filter((start) => start === 0).length);
  });
});

describe("makeFeatures", () => {
  it("labels tokens whose offsets give the answer back, whatever stands before it", async () => {
    const context = "🙂 The café of Zürich — naïve 東京 𝒳 opened in “1998”, didn't it?";
    for (const text of ["café", "Zürich", "東京", "“1998”", "1998", "it?", "🙂"]) {
      const { features } = await featuresOf([example(context, "  What? ", [[text, context.indexOf(text)]])]);
      const { offsets, start, end } = features[0];
      expect(context.slice(offsets[2 * start], offsets[2 * end + 1])).toBe(text);
    }
  });

  it("gives CLS to windows that do not hold the whole answer, and to unanswerable questions", async () => {
    const context = Array.from({ length: 300 }, (_, i) => `word${i % 10}`).join(" ") + " Paris";
    const examples = [example(context, "Where?", [["Paris", context.length - 5]], "a"), example("No.", "Where?", [], "b")];
    const { features, report } = await featuresOf(examples, { maxLength: 128, stride: 16 });
    const labels = features.map(({ exampleId, start, end }) => [exampleId, start > 0, end >= start]);
    expect(labels.filter(([id, has]) => id === "a" && has)).toHaveLength(1);
    expect(labels.at(-1)).toEqual(["b", false, true]);
    expect(report).toMatchObject({ examples: 2, impossibleExamples: 1, answersCutOff: 0, longContexts: 1, windows: features.length });
    expect(report.windowsWithoutAnswer).toBe(features.length - 1);
    for (const { offsets, ids, typeIds, length } of features) {
      expect([ids.length, typeIds.length, offsets.length]).toEqual([length, length, 2 * length]);
      const { first, last } = contextTokens(offsets);
      expect(Array.from(typeIds, (type, i) => (type === 1) === (i >= first && i <= last + 1)).every(Boolean)).toBe(true);
    }
  });

  it("counts answers that one window cuts off, and refuses data in which all are", async () => {
    const context = `${"long ".repeat(200)}Rome`;
    const cut = example(context, "Where?", [["Rome", context.length - 4]], "cut");
    const kept = example("In Rome", "Where?", [["Rome", 3]], "kept");
    const { report } = await featuresOf([cut, kept], { maxLength: 64, stride: undefined });
    expect(report).toMatchObject({ answersCutOff: 1, windowsWithoutAnswer: 1, windows: 2, longContexts: 1 });
    await expect(featuresOf([cut], { maxLength: 64, stride: undefined })).rejects.toThrow(/1 answers cut off[^]*set stride/);
    expect((await featuresOf([cut], { maxLength: 64, stride: undefined, forTraining: false })).features).toHaveLength(1);
  });

  it("skips examples without a found answer when training, and keeps them for evaluation", async () => {
    const examples = [
      example("In Rome", "Where?", [["Milan", -1]], "lost"),
      example(
        "In Rome",
        "Where?",
        [
          ["x", -1],
          ["Rome", 3],
        ],
        "found",
      ),
    ];
    const training = await featuresOf(examples);
    expect(training.features.map(({ exampleIndex, exampleId }) => [exampleIndex, exampleId])).toEqual([[1, "found"]]);
    expect(training.features[0].start).toBeGreaterThan(0);
    expect(training.report.skippedExamples).toBe(1);
    const evaluation = await featuresOf(examples, { forTraining: false });
    expect(evaluation.features.map(({ exampleId, start }) => [exampleId, start > 0])).toEqual([
      ["lost", false],
      ["found", true],
    ]);
    await expect(featuresOf([examples[0]])).rejects.toThrow(/1 not found in their context/);
  });

  it("cuts a question that would leave the context no room, and counts it", async () => {
    const examples = [example("In Rome", "where ".repeat(500), [["Rome", 3]])];
    const { features, report } = await featuresOf(examples, { maxLength: 64, stride: 16 });
    expect(report.questionsCut).toBe(1);
    expect(features.some((feature) => feature.start > 0)).toBe(true);
    expect(features.every((feature) => feature.length <= 64)).toBe(true);
    expect((await featuresOf(examples, { maxQuestionLength: 5 })).features[0].length).toBe(3 + 5 + 2);
  });

  it("refuses lengths that do not fit each other", async () => {
    await expect(featuresOf([example("In Rome", "Where?", [["Rome", 3]])], { maxLength: 32, stride: 32 })).rejects.toThrow(/stride/);
  });
});
