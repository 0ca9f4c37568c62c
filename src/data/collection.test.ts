import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { loadExamples, type LoadOptions } from "./examples.js";
import type { Finding } from "./findings.js";
import { dataWarnings } from "./report-lines.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "lectern-meaning-"))));
afterAll(() => rm(folder, { recursive: true }));

const context = "Rome is old. Rome was not built in a day.";
const forms = {
  "SQuAD JSON": (questions: object[]) => JSON.stringify({ data: [{ paragraphs: [{ context, qas: questions }] }] }),
  "JSON lines": (questions: object[]) => questions.map((one) => JSON.stringify({ context, ...one })).join("\n"),
};
const question = { id: "q", question: "Which city?" };

async function load(name: string, content: string | Uint8Array, options?: LoadOptions) {
  const file = path.join(folder, name);
  await writeFile(file, content);
  return loadExamples(file, options);
}

describe.each(Object.entries(forms))("in %s", (_, form) => {
  const read = (one: object, options?: LoadOptions) =>
    load(
      "data",
      form([
        { ...question, ...one },
        { id: "last", question: "?", answers: [] },
      ]),
      options,
    );

  test.each<[string, object, string[]]>([
    ["is_impossible", { is_impossible: true, answers: [] }, []],
    ["is_impossible alone", { is_impossible: true }, []],
    ["is_impossible as a text", { is_impossible: "True" }, []],
    ["is_impossible as a number", { is_impossible: 1 }, []],
    ["is_impossible beside answers", { is_impossible: true, answers: [{ text: "Rome", answer_start: 0 }] }, ["flag over answers"]],
    ["is_impossible beside an empty text", { is_impossible: true, answers: [{ text: "", answer_start: 0 }] }, []],
    ["no answers", { answers: [] }, []],
    ["an empty text", { answers: [{ text: "", answer_start: 0 }] }, ["empty answer"]],
    ["an empty text at -1", { answers: [{ text: "", answer_start: -1 }] }, ["empty answer"]],
    ["white space", { answers: [{ text: " \n", answer_start: 4 }] }, ["empty answer"]],
    ["null", { answers: [{ text: null, answer_start: null }] }, ["empty answer"]],
    ["several empty texts", { answers: [{ text: "" }, { text: null }] }, ["empty answer"]],
    ["an empty text that is not marked", { is_impossible: false, answers: [{ text: "", answer_start: 0 }] }, ["flag without answer"]],
    ["no answers that are not marked", { is_impossible: false, answers: [] }, ["flag without answer"]],
  ])("%s is a question without answer", async (_, answers, kinds) => {
    const { examples, report } = await read(answers);
    expect(examples[0]).toMatchObject({ id: "q", answers: [], impossible: true });
    expect(report).toMatchObject({ impossible: 2, lost: 0, untrainable: 0, badRows: 0 });
    expect(report.findings.map(({ kind, count }) => [kind, count])).toEqual(kinds.map((kind) => [kind, 1]));
  });

  it("an empty text beside others is left out", async () => {
    const { examples, report } = await read({
      answers: [
        { text: "", answer_start: 0 },
        { text: "Rome", answer_start: 0 },
      ],
    });
    expect(examples[0]).toMatchObject({ answers: [{ text: "Rome", start: 0 }], impossible: false });
    expect(report.findings).toMatchObject([{ kind: "empty answer beside others", count: 1 }]);
  });

  it("numbers are read as ids and answers, texts as places, and a question without an id gets one", async () => {
    const { examples, report } = await read({ id: 7, answers: [{ text: "Rome", answer_start: "13" }] });
    expect(examples[0]).toMatchObject({ id: "7", answers: [{ text: "Rome", start: 13 }] });
    expect(report.findings).toEqual([]);
    const year = await read({ id: 7, answers: [{ text: 1871, answer_start: "44.0" }] });
    expect(year.examples[0].answers).toMatchObject([{ text: "1871" }]);
    for (const id of ["", " ", null, undefined]) expect((await read({ id, answers: [] })).examples[0].id).toBe("data-0");
  });

  it("answers without a place are looked for, and told", async () => {
    const { examples, report } = await read({ answers: [{ text: "old" }, { text: "Rome", answer_start: null }, { text: "Milan" }] });
    expect(examples[0].answers).toEqual([
      { text: "old", start: 8 },
      { text: "Rome", start: 0 },
      { text: "Milan", start: -1 },
    ]);
    expect(report).toMatchObject({ repaired: 2, lost: 1, untrainable: 0 });
    expect(report.findings.map(({ kind }) => kind)).toEqual(["looked for", "chosen", "lost"]);
  });
});

describe("one answer a row", () => {
  test.each([{ answer: "" }, { answer: null }, { answer_text: " ", answer_start: 0 }, { answer: "", answer_start: "" }])(
    "%j is none",
    async (answer) => {
      const { examples } = await load("rows.jsonl", JSON.stringify({ ...question, context, ...answer }));
      expect(examples[0]).toMatchObject({ answers: [], impossible: true });
    },
  );

  it("may stand without a place", async () => {
    const { examples } = await load("rows.jsonl", JSON.stringify({ ...question, context, answer: "old" }));
    expect(examples[0].answers).toEqual([{ text: "old", start: 8 }]);
  });
});

describe("what is told", () => {
  const rows = [
    { id: "1", question: "Which?", context: "🙂 Zoë saw Rome. Zoë left.", answer: "zoë", answer_start: 2 },
    { id: "2", question: "Which?", context: "🙂 Zoë saw Rome. Zoë left.", answer: "Rome", answer_start: 11 },
    { id: "2", question: "Which?", context: " \n", answers: [] },
    { id: "4", question: " ", context, answer: "Rome" },
    { id: "5", question: "Which?", context: null },
  ];
  const text = [...rows.map((row) => JSON.stringify(row)), "{broken", ""].join("\n");

  it("by kind, with the first places, in code points throughout", async () => {
    const { examples, report } = await load("told.jsonl", text);
    expect(examples.map(({ id, answers }) => [id, answers])).toEqual([
      ["1", [{ text: "Zoë", start: 3, written: "zoë" }]],
      ["2", [{ text: "Rome", start: 11 }]],
      ["told/2", []],
    ]);
    expect(report).toMatchObject({ examples: 3, badRows: 3, repaired: 2, blankContexts: 1, repeatedIds: 1, impossible: 1 });
    expect(report.files).toMatchObject([{ questions: 3, badRows: 3 }]);
    const told = dataWarnings(report).map((line) => line.replaceAll(folder + path.sep, ""));
    expect(told).toMatchInlineSnapshot(`
      [
        "1 row that cannot be read, left out: question is not what it should be",
        "  told.jsonl: line 4: question is not what it should be, expected a text that is not empty, received the text " "",
        "1 row that cannot be read, left out: context is missing",
        "  told.jsonl: line 5: context is missing, expected a text, received null",
        "1 row that cannot be read, left out: not JSON in UTF-8",
        "  told.jsonl: line 6 is not valid JSON (column 2), expected JSON (RFC 8259), in JSON lines one object a line, received Expected property name or '}' in JSON at position 1",
        "1 question on a context without text: answered "", not trained on",
        "  told.jsonl: line 3 (told/2)",
        "1 answer found at the stated place counted otherwise: UTF-16 code units",
        "  told.jsonl: line 2 (2), stated "Rome" at 11, found "Rome" at 10",
        "1 answer found, but written otherwise in the context: case",
        "  told.jsonl: line 1 (1), stated "zoë" at 2, found "Zoë" at 2",
        "1 question with an id that an earlier one has: given one of its own",
        "  told.jsonl: line 3 (2), now told/2",
      ]
    `);
  });

  it("all of it, as it is met", async () => {
    const findings: Finding[] = [];
    await load("told.jsonl", text, { onFinding: (finding) => findings.push(finding) });
    expect(findings.map(({ place, kind, what }) => [place, kind, what])).toEqual([
      ["line 1", "written otherwise", "case"],
      ["line 2", "counted otherwise", "UTF-16 code units"],
      ["line 3", "repeated id", undefined],
      ["line 3", "blank context", undefined],
      ["line 4", "bad row", "question is not what it should be"],
      ["line 5", "bad row", "context is missing"],
      ["line 6", "bad row", "not JSON in UTF-8"],
    ]);
    expect(findings[1]).toMatchObject({ id: "2", stated: { text: "Rome", start: 11 }, found: { text: "Rome", start: 10 } });
  });

  it("a line that is not UTF-8 is a bad row", async () => {
    const good = Buffer.from(`${JSON.stringify({ ...question, context, answer: "old" })}\n`);
    const latin = Buffer.from(`${JSON.stringify({ ...question, context: "é" })}\n`, "latin1");
    const { examples, report } = await load("mixed.jsonl", Buffer.concat([good, latin, good]));
    expect([examples.length, report.badRows]).toEqual([2, 1]);
  });

  it("more bad rows than are allowed are refused", async () => {
    await expect(load("told.jsonl", text, { maxBadRows: 2 })).rejects.toMatchObject({ code: "DATA_BAD_ROWS" });
    await expect(load("told.jsonl", text, { maxBadRows: 0.49 })).rejects.toThrow(/3 of 6 rows/);
    expect((await load("told.jsonl", text, { maxBadRows: 0.5 })).examples).toHaveLength(3);
  });
});

it("two files that number from 1 give examples with ids of their own", async () => {
  const files: string[] = [];
  for (const name of ["one.json", "two.json"]) {
    files.push(path.join(folder, name));
    await writeFile(
      files.at(-1)!,
      forms["SQuAD JSON"]([1, 2].map((id) => ({ id, question: "Which?", answers: [{ text: "old", answer_start: 8 }] }))),
    );
  }
  const { examples } = await loadExamples([...files, files[0]]);
  expect(examples.map(({ id }) => id)).toEqual(["1", "2", "two/1", "two/2", "one/1", "one/2"]);
});
