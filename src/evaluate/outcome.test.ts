import { describe, expect, test } from "vitest";
import { type Outcome, outcomeOf } from "./outcome.js";
import { sentencesOf } from "./sentences.js";

const context = "Denver met Carolina in 2016. The Broncos won the bowl by 24 to 10. A crowd cheered.";
const at = (text: string, from = 0) => ({ start: context.indexOf(text, from), end: context.indexOf(text, from) + text.length });
const gold = (text: string) => ({ text, start: context.indexOf(text) });

describe("what became of a question", () => {
  test.each<[Outcome, string, string[], string]>([
    ["boundary", "Broncos won", ["The Broncos"], "overlaps at the end"],
    ["boundary", "won the bowl by 24 to 10. A crowd", ["24"], "holds all of a gold answer"],
    ["boundary", "ronc", ["Broncos"], "lies inside one"],
    ["no_overlap", "24", ["10"], "same sentence"],
    ["no_overlap", "won", ["Broncos"], "next to a gold answer without a common character"],
    ["no_overlap", "10. A", ["24"], "reaches into the sentence of a gold answer"],
    ["wrong_sentence", "Denver", ["Broncos"], "another sentence"],
    ["wrong_sentence", "crowd", ["2016", "24"], "a sentence of none of several"],
    ["boundary", "crowd cheered", ["2016", "crowd"], "the nearest of several counts"],
  ])("%s: %j for %j, which %s", (outcome, prediction, golds, _why) => {
    const scores = { exact: 0, f1: 0 };
    expect(outcomeOf({ context, answers: golds.map(gold) }, prediction, at(prediction), scores)).toBe(outcome);
  });

  test("is right where the scorer says so, wherever it stands", () => {
    expect(outcomeOf({ context, answers: [gold("24")] }, "24.", at("10"), { exact: 1, f1: 1 })).toBe("exact");
  });

  test("white space alone is no overlap", () => {
    const answers = [{ text: "the ", start: context.indexOf("the bowl") }];
    const span = { start: context.indexOf(" bowl"), end: context.indexOf(" bowl") + 5 };
    expect(outcomeOf({ context, answers }, " bowl", span, { exact: 0, f1: 0 })).toBe("no_overlap");
  });

  test("of questions that were not answered, or should not have been", () => {
    expect(outcomeOf({ context, answers: [gold("24")] }, "", undefined, { exact: 0, f1: 0 })).toBe("not_answered");
    expect(outcomeOf({ context, answers: [] }, "24", at("24"), { exact: 0, f1: 0 })).toBe("should_not_answer");
    expect(outcomeOf({ context, answers: [] }, "", undefined, { exact: 1, f1: 1 })).toBe("exact");
  });

  test("goes by words where no gold answer has a place", () => {
    const answers = [{ text: "twenty four", start: -1 }];
    expect(outcomeOf({ context, answers }, "24", at("24"), { exact: 0, f1: 0.5 })).toBe("boundary");
    expect(outcomeOf({ context, answers }, "24", at("24"), { exact: 0, f1: 0 })).toBe("no_overlap");
  });
});

describe("sentences", () => {
  const texts = (text: string) => sentencesOf(text).map(({ start, end }) => text.slice(start, end).trim());

  test("end at full stops, not after initials, abbreviations and numbers", () => {
    expect(texts('Dr. J. Smith of the U.S. Army ran 3.5 km! "Yes." She left.')).toEqual([
      "Dr. J. Smith of the U.S. Army ran 3.5 km!",
      '"Yes."',
      "She left.",
    ]);
    expect(texts("It ended in chaos. Then came No. 5 of St. Paul.")).toEqual(["It ended in chaos.", "Then came No. 5 of St. Paul."]);
  });

  test("cover a text without gaps", () => {
    for (const text of ["", "No stop", "A. B. C.", "One.\n\nTwo? Three… 四。五！"]) {
      const sentences = sentencesOf(text);
      expect(sentences.map(({ start, end }) => text.slice(start, end)).join("")).toBe(text);
    }
  });
});
