import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { highlightAnswer } from "./highlight.js";

vi.mock("./output.js", () => {
  const plain = (text: string) => text;
  return { resultColors: { inverse: (text: string) => `«${text}»`, bold: plain, green: plain, dim: plain } };
});

const show = (context: string, start: number, end: number, golds: string[] = ["gold"]) =>
  highlightAnswer({ question: " Who? ", context, answer: { answer: context.slice(start, end), start, end, score: 0.5 }, golds });

describe("an answer in its context", () => {
  test("is marked in place, with question, score and what people said", () => {
    expect(show("Ada wrote the first program.", 0, 3, ["Ada", "Ada Lovelace"])).toBe(
      "Q: Who?\nA: Ada (score 0.50; people said: Ada / Ada Lovelace)\n  «Ada» wrote the first program.",
    );
  });

  test("stands in a piece of a long context, cut at words", () => {
    const context = `${"before ".repeat(60)}ANSWER ${"after ".repeat(60)}`.trim();
    const start = context.indexOf("ANSWER");
    const lines = show(context, start, start + 6).split("\n");
    expect(lines[2]).toBe("  …");
    expect(lines.at(-1)).toMatch(/after …$/);
    expect(lines.slice(3).every((line) => line.length <= 110)).toBe(true);
    expect(lines.slice(3).join(" ")).toMatch(/^ {2}before/);
  });

  test("over a line's end is marked on both lines", () => {
    const context = `${"x".repeat(90)} two words here and more`;
    const start = context.indexOf("two");
    expect(show(context, start, start + "two words".length)).toMatch(/«two words?»|«two »\n {2}«words»/);
  });

  test("that is empty is told as no answer", () => {
    expect(show("Some text.", 0, 0, [])).toBe("Q: Who?\nA: no answer (score 0.50; people said: nothing)\n  Some text.");
  });

  test("without answers of people is told with its place", () => {
    const shown = highlightAnswer({ question: "Who?", context: "Ada wrote.", answer: { answer: "Ada", start: 0, end: 3, score: 1 } });
    expect(shown).toBe("Q: Who?\nA: Ada (score 1.00, characters 0 to 3)\n  «Ada» wrote.");
  });

  test("of a script without spaces stands in a piece of it, whole characters on both sides", () => {
    const context = "𠀀𠀁".repeat(5000);
    const shown = show(context, 8000, 8004);
    expect(shown.length).toBeLessThan(500);
    expect(shown).not.toMatch(/\p{Surrogate}/u);
  });

  test("cannot send the terminal control sequences", () => {
    expect(show("Ada \u001b[31m wrote\u0007\u009b2J it.", 0, 3, ["\u001b[2J"])).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  test("whatever the context, what is marked is the answer", () => {
    const words = fc.array(fc.constantFrom("a", "longer", "über", "👩‍👩‍👧", "中文", "\n", "x".repeat(120), "\u00a0"), {
      minLength: 1,
      maxLength: 120,
    });
    fc.assert(
      fc.property(words, fc.nat(), fc.nat(60), (list, at, length) => {
        const context = list.join(" ");
        const start = at % context.length;
        const end = Math.min(context.length, start + 1 + length);
        const marked = [
          ...show(context, start, end)
            .split("\n")
            .slice(2)
            .join("\n")
            .matchAll(/«([^»]*)»/g),
        ]
          .map(([, text]) => text)
          .join("");
        expect(marked.replace(/\s/g, "")).toBe(context.slice(start, end).replace(/\s/g, ""));
      }),
    );
  });
});
