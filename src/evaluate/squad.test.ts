import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { loadExamples, type QaExample } from "../data/examples.js";
import { readNoAnswerScores, readPredictions } from "./squad-files.js";
import { normaliseAnswer } from "./squad-normalise.js";
import { evaluateSquad1, evaluateSquad2, squad2Scores } from "./squad.js";

type Figures = Record<"squad1" | "squad1_incomplete" | "squad2" | "squad2_scores" | "squad2_threshold", Record<string, number>>;
interface SquadFile {
  data: { paragraphs: { context: string; qas: { id: string; question: string; answers: { text: string }[] }[] }[] }[];
}
interface Goldens {
  tricky: { data: SquadFile; predictions: [string, string][]; scores: [string, number][]; figures: Figures };
  starter: { figures: Figures };
  squad2: { figures: Figures };
}

/** What the official scripts print: reference/make_squad_goldens.py. */
const goldens = JSON.parse(await readFile("test/squad-goldens.json", "utf8")) as Goldens;

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "lectern-squad-"))));
afterAll(() => rm(folder, { recursive: true }));

function expectFigures(examples: QaExample[], predictions: Map<string, string>, scores: Map<string, number>, figures: Figures): void {
  const answerable = examples.filter((example) => !example.impossible);
  const some = new Map([...predictions].filter((_, i) => i % 10 !== 0));
  expect(evaluateSquad1(answerable, predictions)).toEqual(figures.squad1);
  expect(evaluateSquad1(answerable, some)).toEqual(figures.squad1_incomplete);
  expect(evaluateSquad2(examples, predictions)).toEqual(figures.squad2);
  expect(evaluateSquad2(examples, predictions, { noAnswerScores: scores })).toEqual(figures.squad2_scores);
  expect(evaluateSquad2(examples, predictions, { noAnswerScores: scores, threshold: 0.25 })).toEqual(figures.squad2_threshold);
}

/** As rule_prediction in reference/make_squad_goldens.py. */
function rulePrediction(index: number, { answers, context }: QaExample): string {
  const gold = answers.length > 0 ? answers[index % answers.length].text : context.split(" ")[0];
  const kinds = [
    gold,
    `The ${gold}.`,
    gold.split(" ")[0],
    context.slice(index % 50, (index % 50) + 25),
    "",
    `${gold} ${context.slice(0, 10)}`,
  ];
  return kinds[index % 7] ?? (answers.length > 0 ? gold : "");
}

function byRule(examples: QaExample[]) {
  return {
    predictions: new Map(examples.map((example, i) => [example.id, rulePrediction(i, example)])),
    scores: new Map(examples.map((example, i) => [example.id, ((i * 37) % 101) / 50 - (example.impossible ? 0.5 : 1)])),
  };
}

describe("the metrics of the official scripts, to the last digit", () => {
  it("on answers that Python's text functions treat in their own way, predictions read from files", async () => {
    const { data, predictions, scores, figures } = goldens.tricky;
    const write = async (name: string, text: string) => {
      await writeFile(path.join(folder, name), text);
      return path.join(folder, name);
    };
    // Objects would put ids that look like integers first: the pairs are written as text, in the order that the scripts saw.
    const asObject = (pairs: [string, unknown][]) =>
      `{${pairs.map(([id, value]) => `${JSON.stringify(id)}: ${JSON.stringify(value)}`).join(", ")}}`;
    // as the scripts take them: reading data makes questions without answer of those whose texts are empty
    const examples = data.data.flatMap(({ paragraphs }) =>
      paragraphs.flatMap(({ context, qas }) =>
        qas.map(({ id, question, answers }): QaExample => ({
          ...{ id, question, context },
          answers: answers.map(({ text }) => ({ text, start: -1 })),
          impossible: answers.length === 0,
        })),
      ),
    );
    const predictionMap = await readPredictions(await write("predictions.json", asObject(predictions)));
    const scoreMap = await readNoAnswerScores(await write("na.json", asObject(scores)));
    expect([...scoreMap.keys()]).toEqual(scores.map(([id]) => id));
    expectFigures(examples, predictionMap, scoreMap, figures);
  });

  it("on the starter's development set", async () => {
    const { examples } = await loadExamples("starter/squad/dev.json");
    const { predictions, scores } = byRule(examples);
    expectFigures(examples, predictions, scores, goldens.starter.figures);
  });

  const squad2 = "../shared/data/squad-v2.0-dev.json";
  test.skipIf(!existsSync(squad2))(`on SQuAD 2.0 (where ${squad2} is present)`, async () => {
    const { examples } = await loadExamples(squad2);
    const { predictions, scores } = byRule(examples);
    expectFigures(examples, predictions, scores, goldens.squad2.figures);
  });
});

describe("normaliseAnswer", () => {
  it.each([
    ["The  Eiffel-Tower!", "eiffeltower"],
    ["A, an and the", "and"],
    ["the²", "the²"], // superscripts are word characters
    ["a\u0301 b", "\u0301 b"], // combining marks are not
    ["the_end", "theend"], // punctuation goes first
    ["a\x85b\x1cc\u3000d", "b c d"],
    ["\ufeffthe", "\ufeff"], // not white space
    ["ΟΔΟΣ", "οδος"],
  ])("%j becomes %j", (answer, normalised) => {
    expect(normaliseAnswer(answer)).toBe(normalised);
  });

  it("changes nothing when applied twice to words without articles", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const once = normaliseAnswer(text);
        fc.pre(!/\b(a|an|the)\b/.test(once));
        expect(normaliseAnswer(once)).toBe(once);
      }),
    );
  });
});

describe("scores", () => {
  const example = (id: string, ...answers: string[]): QaExample => ({
    id,
    question: "?",
    context: "…",
    answers: answers.map((text) => ({ text, start: -1 })),
    impossible: answers.length === 0,
  });

  it("of a right answer are 1, and F1 never falls below the exact score", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (gold, prediction) => {
        expect(squad2Scores(example("1", gold), gold)).toEqual({ exact: 1, f1: 1 });
        const { exact, f1 } = squad2Scores(example("1", gold), prediction);
        expect(f1).toBeGreaterThanOrEqual(exact);
        expect(f1).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("need a prediction for every question in 2.0", () => {
    expect(() => evaluateSquad2([example("1", "x"), example("2")], new Map([["2", ""]]))).toThrow(/1 of 2 questions have no prediction: 1/);
  });

  it("need an answer to every question in 1.1", () => {
    expect(() => evaluateSquad1([example("1")], new Map([["1", ""]]))).toThrow(/no answer/);
  });

  it("are not computed on nothing", () => {
    expect(() => evaluateSquad1([], new Map())).toThrow(/no example/);
    expect(() => evaluateSquad2([], new Map())).toThrow(/no example/);
  });
});

describe("files of predictions", () => {
  const read = async (text: string) => {
    const file = path.join(folder, "p.json");
    await writeFile(file, text);
    return readPredictions(file);
  };

  it("keep awkward ids apart", async () => {
    const text = String.raw`{"__proto__": "a", "toString": "b", "say \"1\":": "c: \"2\": d", "\\": "e", "10": "f", "9": "g"}`;
    expect([...(await read(text))]).toEqual([
      ["__proto__", "a"],
      ["toString", "b"],
      ['say "1":', 'c: "2": d'],
      ["\\", "e"],
      ["10", "f"],
      ["9", "g"],
    ]);
  });

  it.each([
    ["[]", /not a JSON object/],
    ['{"a": 1}', /value of "a"/],
    ['{"a": "b"', /not valid JSON/],
  ])("%s is refused", async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it("that do not exist are an error that names them", async () => {
    await expect(readPredictions(path.join(folder, "none.json"))).rejects.toThrow(/There is no .*none\.json/);
  });
});
