import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AnsweredQuestion, writePredictionFiles } from "./prediction-files.js";
import { readNoAnswerScores, readPredictions } from "./squad-files.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "lectern-prediction-files-"))));
afterAll(() => rm(folder, { recursive: true }));

const text = (name: string) => readFile(join(folder, name), "utf8");
const span = fc.record({ text: fc.string({ unit: "binary" }), start: fc.nat(), end: fc.nat(), score: fc.double({ noNaN: true, noDefaultInfinity: true }), probability: fc.double({ min: 0, max: 1, noNaN: true }) }); // prettier-ignore
const answered: fc.Arbitrary<AnsweredQuestion[]> = fc.uniqueArray(
  fc.record({
    id: fc.string({ unit: "grapheme" }).map((id) => `q${id}`), // not an integer, which an object would move to the front
    prediction: fc.string({ unit: "grapheme" }),
    nullOdds: fc.double({ noNaN: true, noDefaultInfinity: true }).map((odds) => odds + 0),
    nBest: fc.array(span, { maxLength: 3 }),
  }),
  { selector: ({ id }) => id, maxLength: 8 },
);

test("the files are what JSON.stringify makes of the whole, and read back in their order", async () => {
  await fc.assert(
    fc.asyncProperty(answered, async (list) => {
      await writePredictionFiles(folder, list);
      const whole = (value: (one: AnsweredQuestion) => unknown) =>
        `${JSON.stringify(Object.fromEntries(list.map((one) => [one.id, value(one)])), null, 1)}\n`;
      expect(await text("predictions.json")).toBe(whole(({ prediction }) => prediction));
      expect(await text("null_odds.json")).toBe(whole(({ nullOdds }) => nullOdds));
      expect(await text("nbest_predictions.json")).toBe(whole(({ nBest }) => nBest));
      expect([...(await readPredictions(join(folder, "predictions.json"))).keys()]).toEqual(list.map(({ id }) => id));
    }),
    { numRuns: 60 },
  );
});

test("ids that look like integers stay where they are in the data", async () => {
  const list = ["b", "10", "2", "a"].map((id, nullOdds) => ({ id, prediction: id, nullOdds, nBest: [] }));
  await writePredictionFiles(folder, list);
  expect([...(await readNoAnswerScores(join(folder, "null_odds.json"))).keys()]).toEqual(["b", "10", "2", "a"]);
});

test("files longer than what is gathered at once are whole", async () => {
  const list = Array.from({ length: 3000 }, (_, index) => ({
    id: `q${index}`,
    prediction: "word ".repeat(200),
    nullOdds: index,
    nBest: [],
  }));
  await writePredictionFiles(folder, list);
  expect((await readPredictions(join(folder, "predictions.json"))).size).toBe(3000);
});
