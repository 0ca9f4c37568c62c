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
