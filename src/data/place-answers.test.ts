import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { foldEnds } from "./fold-text.js";
import { AnswerPlacer } from "./place-answers.js";

const place = (context: string, text: string, start?: number, question = "Which?") =>
  new AnswerPlacer().place(context, { text, start }, question);
const codePoints = (text: string) => [...text].length;

describe("an answer written otherwise than in the context is found at its place, and what was repaired is told", () => {
  test.each<[string, string, string, string, string[]]>([
    ["white space", "It opened on 3  May\n1902.", "3 May 1902", "3  May\n1902", ["white space"]],
    ["no-break spaces", "It costs 12\u00a0000\u202f€ now.", "12 000 €", "12\u00a0000\u202f€", ["white space"]],
    ["white space at its ends", "Opened in 1902, say all.", " 1902 ", "1902", ["white space"]],
    ["line ends", "First line\r\nsecond line.", "line\nsecond", "line\r\nsecond", ["white space"]],
    ["case", "Said by ZOË of Straße 4.", "zoë of STRASSE", "ZOË of Straße", ["case"]],
    ["composed for decomposed", "Le cafe\u0301 de Ni\u0302mes.", "café de Nîmes", "cafe\u0301 de Ni\u0302mes", ["Unicode form"]],
    ["decomposed for composed", "Le café de Nîmes.", "cafe\u0301 de Ni\u0302mes", "café de Nîmes", ["Unicode form"]],
    ["Hangul syllables and their letters", "수도는 서울이다.", "서울".normalize("NFD"), "서울", ["Unicode form"]],
    ["quotes and dashes", "He said “so – it’s true”.", `"so - it's true"`, "“so – it’s true”", ["characters"]],
    ["ligatures and full width", "The ﬁrst is １２.", "first is 12", "ﬁrst is １２", ["characters"]],
    ["invisible characters", "A co\u00adope\u200bration began.", "cooperation", "co\u00adope\u200bration", ["characters"]],
    ["several at once", "By ZOE\u0308\u00a0Bell.", "zoë bell", "ZOE\u0308\u00a0Bell", ["white space", "case", "Unicode form"]],
  ])("%s", (_, context, written, found, aspects) => {
    const start = context.indexOf(found);
    const repairs = aspects.map((what) => ({ kind: "written otherwise", what }));
    const stated = codePoints(context.slice(0, start));
    expect(place(context, written, stated)).toEqual({ answer: { text: found, start, written }, repairs });
    expect(place(context, written).answer).toEqual({ text: found, start, written });
  });

  it("does not take a letter from under its accent, nor a part of a ligature", () => {
    expect(place("Le café é.", "cafe", 3).answer.start).toBe(-1);
    expect(place("The ﬁrst.", "irst", 5).answer.start).toBe(-1);
  });
});

describe("a place that counts something else is understood, also where the text stands several times", () => {
  const context = `🙂𝒳 is\r\nold.\r\n\r\n  Ééé, Ni\u0302mes. ${["Rome", "Rome", "Rome"].join(` ${"and so on ".repeat(9)}`)}`;
  const copies: [string, (text: string) => number][] = [
    ["UTF-16 code units", (text) => text.length],
    ["a line end as one character", (text) => codePoints(text.replaceAll("\r\n", "\n"))],
    ["white space as one character", (text) => codePoints(text.replaceAll(/\s+/g, " "))],
    ["composed characters (NFC)", (text) => codePoints(text.normalize("NFC"))],
    ["decomposed characters (NFD)", (text) => codePoints(text.normalize("NFD"))],
    ["UTF-8 bytes", (text) => Buffer.byteLength(text)],
  ];
  test.each(copies)("%s", (what, count) => {
    for (const { index: start } of context.matchAll(/Rome/g)) {
      const repairs = [{ kind: "counted otherwise", what }];
      expect(place(context, "Rome", count(context.slice(0, start)))).toEqual({ answer: { text: "Rome", start }, repairs });
    }
  });

  test("line ends that were two characters and are one, white space that was cut off in front", () => {
    const lines = "Rome\n\n\n\nRome\n\nRome and Rome";
    const start = lines.lastIndexOf("Rome");
    expect(place(lines, "Rome", lines.slice(0, start).replaceAll("\n", "\r\n").length)).toEqual({
      answer: { text: "Rome", start },
      repairs: [{ kind: "counted otherwise", what: "a line end as two characters" }],
    });
    expect(place("   Rome, Rome", "Rome", 6)).toMatchObject({
      answer: { start: 9 },
      repairs: [{ what: "no white space at the beginning" }],
    });
  });
});

describe("an answer without a place", () => {
  it("is taken where it stands once, else by the question's words, else the first", () => {
    const context = `The mill was built in 1871. ${"It stood empty for years. ".repeat(8)}The bridge was built in 1902 and the mill in 1871 again.`;
    expect(place(context, "1902", undefined)).toMatchObject({
      answer: { start: context.indexOf("1902") },
      repairs: [{ kind: "looked for" }],
    });
    const near = place(context, "1871", undefined, "When was the mill by the bridge built again?");
    expect(near).toEqual({ answer: { text: "1871", start: context.lastIndexOf("1871") }, repairs: [{ kind: "chosen" }] });
    expect(place(context, "1871", undefined, "Quand?").answer.start).toBe(context.indexOf("1871"));
    expect(place(context, "Naples", undefined)).toEqual({ answer: { text: "Naples", start: -1 }, repairs: [] });
  });

  it("is found by words in scripts without spaces", () => {
    const context = `東京は1871年に始まった。${"あ".repeat(150)}。橋は1871年に完成した。`;
    expect(place(context, "1871年", undefined, "橋はいつ完成したか").answer.start).toBe(context.lastIndexOf("1871年"));
  });
});

/** Words with what folding is about: accents in both forms, astral characters, capitals, quotes. */
const word = fc.stringMatching(/^[a-zé🙂𝒳Öß"']{1,6}$/u);
const space = fc.constantFrom(" ", "  ", "\n", "\r\n", "\u00a0", "\t");
const contexts = fc
  .array(fc.tuple(word, space, fc.boolean()), { minLength: 3, maxLength: 30 })
  .map((words) => words.map(([text, gap, isDecomposed]) => text.normalize(isDecomposed ? "NFD" : "NFC") + gap).join(""));
const changes: ((text: string) => string)[] = [
  (text) => text.toUpperCase(),
  (text) => text.normalize("NFC"),
  (text) => text.normalize("NFD"),
  (text) => text.replaceAll(/\s+/g, " "),
  (text) => text.replaceAll(" ", "\u00a0"),
  (text) => text.replaceAll("\r\n", "\n"),
  (text) => text.replaceAll('"', "”").replaceAll("'", "’"),
];
/** A context, [first, last] of its words as the answer, and what is done to the answer's text. */
const mangled = fc.record({ context: contexts, a: fc.nat(), b: fc.nat(), done: fc.subarray(changes) }).map(({ context, a, b, done }) => {
  const words = [...context.matchAll(/\S+/g)].filter(({ 0: text }) => !/^[\p{M}]/u.test(text));
  const [first, last] = [a % words.length, b % words.length].sort((one, other) => one - other);
  const start = words[first].index;
  const text = context.slice(start, words[last].index + words[last][0].length);
  return { context, start, text, written: done.reduce((changed, change) => change(changed), text) };
});

describe("whatever folding evens out may be done to an answer", () => {
  it("it is found at its stated place, in UTF-16 code units", () => {
    fc.assert(
      fc.property(mangled, ({ context, start, text, written }) => {
        const { answer } = place(context, written, codePoints(context.slice(0, start)));
        expect(answer.start).toBe(start);
        expect(context.slice(answer.start, answer.start + answer.text.length)).toBe(answer.text);
        expect(foldEnds(answer.text)).toBe(foldEnds(text));
      }),
      { numRuns: 300 },
    );
  });

  it("and without a place, or with a wrong one, only where the same text stands", () => {
    fc.assert(
      fc.property(mangled, fc.option(fc.nat(400), { nil: undefined }), ({ context, text, written }, stated) => {
        const { answer, repairs } = place(context, written, stated);
        if (stated === undefined) expect(answer.start).toBeGreaterThanOrEqual(0);
        if (answer.start < 0) {
          expect(answer.text).toBe(written);
          return;
        }
        expect(context.slice(answer.start, answer.start + answer.text.length)).toBe(answer.text);
        expect(foldEnds(answer.text)).toBe(foldEnds(text));
        if (answer.text !== written) expect([answer.written, repairs.length > 0]).toEqual([written, true]);
      }),
      { numRuns: 300 },
    );
  });
});
