/** Lengths in tokens, measured by tokenising, and read off the windows that were made. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { starter } from "../../../test/tiny-reader.js";
import { loadExamples } from "../../data/examples.js";
import { Tokenizer } from "../../text/tokenizer.js";
import { makeFeatures } from "./features.js";
import { featureLengths, measureTokenLengths } from "./token-lengths.js";

const tokenizer = await Tokenizer.fromFolder(join(starter, "minilm-l6"));
const { examples } = await loadExamples(join(starter, "squad/dev.json"), { limit: 120 });
const measured = await measureTokenLengths(examples, tokenizer);
const specialTokens = tokenizer.pairSpecialTokens;

describe("lengths read off windows", () => {
  test.each([
    [384, 128],
    [96, 32],
    [64, 0],
  ])("of %i tokens that share %i are those that tokenising measures", async (maxLength, stride) => {
    const { features } = await makeFeatures(examples, tokenizer, { maxLength, stride, forTraining: false });
    const lengths = featureLengths(features, { specialTokens, stride });
    expect(lengths.question).toEqual(measured.question);
    expect(lengths.context).toEqual(measured.context);
    expect(lengths.pair).toEqual(measured.pair);
    if (maxLength === 384) expect(lengths.answer).toEqual(measured.answer);
    else expect(Math.max(...lengths.answer)).toBeLessThanOrEqual(Math.max(...measured.answer));
  });

  test("count of cut questions and contexts what was kept", async () => {
    const { features } = await makeFeatures(examples, tokenizer, { maxLength: 64, maxQuestionLength: 8, forTraining: false });
    const { question, context, pair } = featureLengths(features, { specialTokens });
    expect(question).toEqual(measured.question.map((length) => Math.min(8, length)));
    expect(pair).toEqual(features.map(({ length }) => length));
    expect(context.length).toBe(examples.length);
  });

  test("are none of no windows", () => {
    expect(featureLengths([], { specialTokens })).toEqual({ question: [], context: [], pair: [], answer: [] });
  });
});
