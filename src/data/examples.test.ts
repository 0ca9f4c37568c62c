import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer, type ColumnSource } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LecternError } from "../errors.js";
import { loadExamples, type LoadOptions } from "./examples.js";
import { dataWarnings } from "./report-lines.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "lectern-data-"))));
afterAll(() => rm(folder, { recursive: true }));

let written = 0;
/** A file of its own for each call, under the name given. */
async function write(name: string, content: string | Uint8Array): Promise<string> {
  const own = path.join(folder, String(written++));
  await mkdir(own);
  await writeFile(path.join(own, name), content);
  return path.join(own, name);
}
const writeJson = (value: unknown, name = "data.json") => write(name, JSON.stringify(value));
const writeLines = (rows: unknown[], name = "data.jsonl") => write(name, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

async function errorOf(file: string | string[], options?: LoadOptions): Promise<LecternError> {
  const error: unknown = await loadExamples(file, options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LecternError);
  return error as LecternError;
}

const squad = (qas: unknown[], context = "Rome is old.", version = "1.1") => ({
  version,
  data: [{ title: "Rome", paragraphs: [{ context, qas }] }],
});
const question = (id: string, text = "Rome", start = 0) => ({ id, question: "Which city?", answers: [{ text, answer_start: start }] });
const row = (id: string, context = "Rome is old.", text = ["Rome"], starts = [0]) => ({
  id,
  title: "Rome",
  context,
  question: "Which city?",
  answers: { text, answer_start: starts },
});

const mapped = (fields: object, change: (value: unknown) => unknown) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, change(value)]));

const rome = {
  id: "1",
  title: "Rome",
  question: "Which city?",
  context: "Rome is old.",
  answers: [{ text: "Rome", start: 0 }],
  impossible: false,
};

describe("every form of the same question", () => {
  const flat = { id: "1", title: "Rome", context: rome.context, question: rome.question };
  it.each([
    ["SQuAD 1.1", () => writeJson(squad([question("1")]))],
    ["SQuAD 2.0", () => writeJson(squad([{ ...question("1"), is_impossible: false }], undefined, "v2.0"))],
    ["JSON with a byte order mark", () => write("bom.json", `\ufeff${JSON.stringify(squad([question("1")]))}`)],
    ["JSON lines", () => writeLines([row("1")])],
    ["JSON lines under a .json name", () => writeLines([row("1"), row("2")], "rows.json")],
    ["JSON lines with blank lines and CRLF", () => write("x.jsonl", `\r\n\r\n${JSON.stringify(row("1"))}\r\n\r\n`)],
    ["a JSON list of rows", () => writeJson([row("1")])],
    ['{"data": rows}', () => writeJson({ version: "0.1", data: [row("1")] })],
    ["answers as a list of texts", () => writeLines([{ ...flat, answers: ["Rome"] }])],
    ["answers as one object", () => writeLines([{ ...flat, answers: { text: "Rome", answer_start: 0 } }])],
    ["answers as one text", () => writeLines([{ ...flat, answers: "Rome" }])],
    ["an answer as an object", () => writeLines([{ ...flat, answer: { text: "Rome", answer_start: 0 } }])],
    ["answers as JSON in a text", () => writeLines([{ ...flat, answers: '{"text": ["Rome"], "answer_start": [0]}' }])],
    [
      "answers as Python prints them",
      () => writeLines([{ ...flat, answers: "{'text': array(['Rome'], dtype=object), 'answer_start': array([0])}" }]),
    ],
    ["{context, qas}, as Simple Transformers has it", () => writeJson([{ title: "Rome", context: rome.context, qas: [question("1")] }])],
    ["{context, qas} a line", () => writeLines([{ title: "Rome", context: rome.context, qas: [question("1")] }])],
    ["data without paragraphs", () => writeJson({ data: [{ title: "Rome", context: rome.context, qas: [question("1")] }] })],
    ["paragraphs at the top", () => writeJson(squad([question("1")]).data[0])],
    ["one {context, qas}", () => writeJson({ title: "Rome", context: rome.context, qas: [question("1")] })],
    ["an article a line", () => writeLines(squad([question("1")]).data)],
    ["articles in a list", () => writeJson(squad([question("1")]).data)],
    ["one row", () => writeJson(row("1"))],
    ["rows by name", () => writeJson({ first: row("1"), second: row("2") })],
    ["rows as the Hub's viewer gives them", () => writeJson({ features: [], rows: [{ row_idx: 0, row: row("1"), truncated_cells: [] }] })],
    ["columns, as pandas writes them", () => writeJson({ ...mapped(flat, (value) => ({ 0: value })), answers: { 0: ["Rome"] } })],
    [
      "a table as lists of cells",
      () => writeJson({ columns: [...Object.keys(flat), "answers"], index: [0], data: [[...Object.values(flat), ["Rome"]]] }),
    ],
    ["a list under any name", () => writeJson({ source: "x", questions: [row("1")] })],
    ["{context, questions}", () => writeJson([{ title: "Rome", context: rome.context, questions: [question("1")] }])],
    ["a list of rows in a file of JSON lines", () => writeJson([row("1")], "x.jsonl")],
    ["a row over several lines in a file of JSON lines", () => write("x.jsonl", JSON.stringify(row("1"), null, 2))],
    ["NaN where a data frame has nothing", () => write("x.json", JSON.stringify([{ ...row("1"), level: "NaN" }]).replace('"NaN"', "NaN"))],
    ["columns as lists", () => writeJson({ ...mapped(flat, (value) => [value]), answers: [["Rome"]] })],
    ["gzip", () => write("x.jsonl.gz", gzipSync(JSON.stringify(row("1"))))],
    ["UTF-16", () => write("x.json", Buffer.from(`\ufeff${JSON.stringify([row("1")])}`, "utf16le"))],
    ["answers as a list of objects", () => writeLines([{ ...flat, answers: [{ text: "Rome", answer_start: 0 }] }])],
    ["flattened columns", () => writeLines([{ ...flat, "answers.text": ["Rome"], "answers.answer_start": [0] }])],
    ["one answer a row", () => writeLines([{ ...flat, answer: "Rome", answer_start: 0 }])],
    ["one answer_text a row", () => writeLines([{ ...flat, answer_text: "Rome", answer_start: 0 }])],
  ])("%s", async (_, make) => {
    const { examples } = await loadExamples(await make());
    expect(examples[0]).toEqual(rome);
  });

  it("an answer in a shape that is not known is a bad row, not a question without answer", async () => {
    for (const answer of [{ value: "Rome" }, [{ value: "Rome" }], {}]) {
      expect((await errorOf(await writeLines([{ ...flat, answer }]))).message).toMatch(/answer(\[0\])?\.text is missing/);
    }
  });

  it("columns of any name, also within others, by the names that the person gives", async () => {
    const columns = { question: "Frage", context: "Quelle.Absatz", answer: "Antwort", answer_start: "Stelle" };
    const german = {
      id: 1,
      title: "Rome",
      Frage: rome.question,
      Quelle: { Absatz: rome.context },
      Antwort: "Rome",
      Stelle: 0,
      answers: ["old"],
    };
    for (const file of [await writeLines([german]), await writeJson({ data: [german] }), await writeJson(german)]) {
      expect((await loadExamples(file, { columns })).examples).toEqual([rome]);
    }
    const table = await write("a.csv", "Frage;Quelle.Absatz;Antwort;Stelle;id;title\nWhich city?;Rome is old.;Rome;0;1;Rome\n");
    expect((await loadExamples([table, await writeLines([row("2")])], { columns })).examples).toMatchObject([rome, { id: "2" }]);
    expect((await loadExamples({ rows: [german as never] }, { columns })).examples).toEqual([rome]);
  });

  it("names that no column has are told with those that there are", async () => {
    const columns = { question: "Frgae", context: "Absatz", answer: "Antwort" };
    for (const file of [
      await write("a.csv", "Frage,Absatz,Antwort,question\na,b,c,d\n"),
      await writeLines([{ Frage: "a", Absatz: "b", Antwort: "c" }]),
    ]) {
      const { code, message } = await errorOf(file, { columns });
      expect(code).toBe("DATA_COLUMNS");
      expect(message).toMatch(/has no "Frgae", which columns names\.[^]*received: Frage, Absatz, Antwort/);
    }
  });

  it("a bad row does not end the file", async () => {
    const file = await write(
      "a.jsonl",
      `${JSON.stringify(row("1"))}\n{"id": 2,}\n${JSON.stringify({ ...row("3"), question: 3 })}\n${JSON.stringify(row("4"))}`,
    );
    const { examples, report } = await loadExamples(file);
    expect(examples.map(({ id }) => id)).toEqual(["1", "4"]);
    expect(report.files[0]).toMatchObject({ questions: 2, badRows: 2 });
  });

  it("numbers as ids, and ids where a row has none", async () => {
    const anonymous = { ...row("1"), id: null };
    const { examples } = await loadExamples(await writeLines([{ ...row("x"), id: 7 }, anonymous], "mine.jsonl"));
    expect(examples.map(({ id }) => id)).toEqual(["7", "mine-1"]);
  });

  it("no answer: impossible in SQuAD 2.0, empty lists in rows", async () => {
    const impossible = {
      id: "1",
      question: "Why?",
      answers: [],
      is_impossible: true,
      plausible_answers: [{ text: "old", answer_start: 8 }],
    };
    for (const file of [
      await writeJson(squad([impossible])),
      await writeLines([row("1", undefined, [], [])]),
      await writeLines([{ ...flat, is_impossible: true }]),
    ]) {
      const { examples, report } = await loadExamples(file);
      expect(examples[0]).toMatchObject({ answers: [], impossible: true });
      expect(report.impossible).toBe(1);
    }
  });
});

describe("parquet", () => {
  const schema = (name: string, type: "BYTE_ARRAY" | "INT32" | "INT64") => [
    { name, repetition_type: "OPTIONAL" as const, num_children: 1, converted_type: "LIST" as const },
    { name: "list", repetition_type: "REPEATED" as const, num_children: 1 },
    { name: "element", type, repetition_type: "OPTIONAL" as const, ...(type === "BYTE_ARRAY" ? { converted_type: "UTF8" as const } : {}) },
  ];
  /** The hub's `squad`: answers is a struct of two lists. */
  function hubFile(rows: ReturnType<typeof row>[], integers: "INT32" | "INT64" = "INT32", codec?: "GZIP"): Uint8Array {
    const text = (name: "id" | "title" | "context" | "question"): ColumnSource => ({ name, data: rows.map((one) => one[name]) });
    const cast = (value: number) => (integers === "INT64" ? BigInt(value) : value);
    const answers = rows.map(({ answers: { text: texts, answer_start: starts } }) => ({ text: texts, answer_start: starts.map(cast) }));
    const column = (name: string) => ({
      name,
      type: "BYTE_ARRAY" as const,
      converted_type: "UTF8" as const,
      repetition_type: "OPTIONAL" as const,
    });
    return new Uint8Array(
      parquetWriteBuffer({
        columnData: [text("id"), text("title"), text("context"), text("question"), { name: "answers", data: answers }],
        schema: [
          { name: "root", num_children: 5 },
          ...["id", "title", "context", "question"].map(column),
          { name: "answers", repetition_type: "OPTIONAL", num_children: 2 },
          ...schema("text", "BYTE_ARRAY"),
          ...schema("answer_start", integers),
        ],
        codec,
        compressors: { GZIP: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)) },
        rowGroupSize: 3,
      }),
    );
  }

  it.each([["INT32"], ["INT64"]] as const)("in the hub's columns, answer_start as %s, several row groups", async (integers) => {
    const rows = [
      row("1"),
      ...Array.from({ length: 9 }, (_, i) => row(String(i + 2), undefined, i % 2 ? [] : ["Rome", "old"], i % 2 ? [] : [0, 8])),
    ];
    const { examples, report } = await loadExamples(await write("train.parquet", hubFile(rows, integers)));
    expect(examples).toHaveLength(10);
    expect(examples[0]).toEqual(rome);
    expect(examples[1].answers.map(({ start }) => start)).toEqual([0, 8]);
    expect(examples[2].impossible).toBe(true);
    expect(report).toMatchObject({ contexts: 1, titles: 1, impossible: 4, files: [{ format: "parquet", questions: 10 }] });
    expect(examples[1].context).toBe(examples[0].context);
  });

  it("as Python writes it, compressed with zstd, holds the same as the JSON", async () => {
    // From reference/make_parquet_fixture.py.
    const { examples } = await loadExamples("test/squad-columns-zstd.parquet");
    expect(examples).toEqual((await loadExamples("starter/squad/dev.json", { limit: 12 })).examples);
  });

  it("compressed with another codec than snappy", async () => {
    const { examples } = await loadExamples(await write("train.parquet", hubFile([row("1")], "INT32", "GZIP")));
    expect(examples).toEqual([rome]);
  });

  it("is known by its content, and read up to the limit", async () => {
    const { examples } = await loadExamples(await write("no-extension", hubFile([row("1"), row("2"), row("3")])), { limit: 2 });
    expect(examples.map(({ id }) => id)).toEqual(["1", "2"]);
  });

  it("without the columns of questions is refused with what it has", async () => {
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: "text", data: ["x"] },
        { name: "label", data: [1] },
      ],
    });
    const error = await errorOf(await write("other.parquet", new Uint8Array(bytes)));
    expect([error.code, error.detail.received]).toEqual(["DATA_COLUMNS", "text, label"]);
  });

  it("damaged at any place is an error that says so", async () => {
    const whole = hubFile(Array.from({ length: 20 }, (_, i) => row(String(i))));
    for (const part of [whole.subarray(0, 4), whole.subarray(0, whole.length / 2), whole.subarray(0, whole.length - 1)]) {
      const error = await errorOf(await write("cut.parquet", part));
      expect([error.code, error.message]).toEqual(["DATA_SYNTAX", expect.stringContaining("cut.parquet cannot be read as parquet")]);
    }
  });
});

describe("where answers stand", () => {
  it("counts code points in files and code units in examples", async () => {
    const context = "🙂🙂 Rome, 𝒳 and Rome";
    const second = [...context.slice(0, context.lastIndexOf("Rome"))].length;
    const { examples, report } = await loadExamples(await writeLines([row("1", context, ["Rome", "Rome", "🙂"], [3, second, 1])]));
    expect(examples[0].answers.map(({ start }) => start)).toEqual([5, context.lastIndexOf("Rome"), 2]);
    expect(report).toMatchObject({ repaired: 0, lost: 0, findings: [] });
  });

  it("finds an answer that is stated wrongly if that is certain, and reports it", async () => {
    const far = "x".repeat(100);
    const context = `Rome, ${far} Milan ${far} Rome ${far} Bari, Bari`;
    const rows = [
      row("close", context, ["Rome"], [context.lastIndexOf("Rome") - 3]), // twice in the context, once close by
      row("only", context, ["Milan"], [0]), // once in the context
      row("twice", context, ["Bari"], [context.indexOf("Bari") + 3]), // twice close by, as far from one as from the other
      row("nearer", context, ["Bari"], [context.indexOf("Bari") - 1]), // twice close by, much nearer to one
      row("far", context, ["Rome"], [context.indexOf("Milan")]), // twice, none close by
      row("none", context, ["Naples"], [0]),
      row("negative", context, ["Milan"], [-1]),
      row("beyond", context, ["Milan"], [10_000]),
      row("half", context, ["Naples", "Milan"], [0, context.indexOf("Milan")]),
    ];
    const { examples, report } = await loadExamples(await writeLines(rows, "moved.jsonl"));
    const found = Object.fromEntries(examples.map(({ id, answers }) => [id, answers[0].start]));
    const milan = context.indexOf("Milan");
    expect(found).toEqual({
      close: context.lastIndexOf("Rome"),
      only: milan,
      twice: -1,
      nearer: context.indexOf("Bari"),
      far: -1,
      none: -1,
      negative: milan,
      beyond: milan,
      half: -1,
    });
    expect(report).toMatchObject({ repaired: 5, lost: 4, untrainable: 3 });
    expect(report.findings).toMatchObject([
      { kind: "moved", count: 4 },
      { kind: "looked for", count: 1 },
      { kind: "lost", count: 4 },
    ]);
    expect(dataWarnings(report).join("\n")).toMatch(
      /answers found elsewhere[^]*line 1 \(close\), stated "Rome" at[^]*and 1 more[^]*3 examples without an answer that was found/,
    );
  });
});

describe("several files", () => {
  it("are read in their order, up to the limit; an id names one question", async () => {
    const files = [
      await writeLines([row("1"), row("2"), row("1")], "a.jsonl"),
      await writeJson(squad([question("2"), question("3"), question("4")])),
    ];
    const { examples, report } = await loadExamples(files);
    expect(examples.map(({ id }) => id)).toEqual(["1", "2", "a/1", "data/2", "3", "4"]);
    expect(report.repeatedIds).toBe(2);
    expect(report.files.map(({ format, questions, version }) => [format, questions, version])).toEqual([
      ["jsonl", 3, undefined],
      ["json", 3, "1.1"],
    ]);
    expect(dataWarnings(report)).toEqual([
      expect.stringMatching(/^2 questions with an id that an earlier one has/),
      expect.stringMatching(/a\.jsonl: line 3 \(1\), now a\/1$/),
      expect.stringMatching(/data\.json: .*qas\[0\] \(2\), now data\/2$/),
    ]);
    const asGiven = await loadExamples(files, { ids: "as given" });
    expect(asGiven.examples.map(({ id }) => id)).toEqual(["1", "2", "1", "2", "3", "4"]);
    expect((await loadExamples(files, { limit: 3 })).examples).toHaveLength(3);
    expect((await loadExamples([files[0], "never-opened"], { limit: 2 })).examples).toHaveLength(2);
  });

  it("count contexts without questions", async () => {
    const data = {
      version: "1.1",
      data: [
        {
          paragraphs: [
            { context: "Empty.", qas: [] },
            { context: "Rome", qas: [question("1")] },
          ],
        },
      ],
    };
    expect((await loadExamples(await writeJson(data))).report.emptyParagraphs).toBe(1);
  });
});

describe("what cannot be read is an error that says where and what", () => {
  it.each<[string, string, string | Uint8Array, string, RegExp]>([
    ["an empty file", "a.json", "", "DATA_EMPTY", /a\.json is empty/],
    ["white space", "a.json", " \n ", "DATA_SYNTAX", /not valid JSON/],
    ["cut JSON", "a.json", '{"data": [\n {"title"', "DATA_SYNTAX", /not valid JSON \(line 2, column 10\)/],
    ["only wrong lines", "a.jsonl", `{"id": 1,}\n{"id": 2,}\n`, "DATA_SYNTAX", /None of the 2 rows[^]*line 1 is not valid JSON/],
    ["bytes that are not UTF-8", "a.json", Uint8Array.of(0x7b, 0xff, 0xfe), "DATA_SYNTAX", /not UTF-8/],
    ["a damaged gzip file", "a.jsonl.gz", gzipSync(JSON.stringify(row("1"))).subarray(0, 40), "DATA_SYNTAX", /cannot be unpacked/],
    ["a number", "a.json", "3", "DATA_FIELD", /the file is not what[^]*received: number 3/],
    ["no data", "a.json", '{"questions": [1]}', "DATA_FIELD", /data is missing/],
    [
      "several lists",
      "a.json",
      JSON.stringify({ train: [row("1")], dev: [row("2")] }),
      "DATA_FORM",
      /several lists[^]*received: train, dev/,
    ],
    ["HTML", "a.html", "<html></html>", "DATA_FORM", /is XML or HTML[^]*Write rows/],
    ["YAML", "a.yaml", "- question: x", "DATA_FORM", /is YAML/],
    ["prose", "a.txt", "Rome is old.", "DATA_FORM", /is text without columns/],
    ["no articles", "a.json", '{"version": "1.1", "data": []}', "DATA_EMPTY", /holds no question/],
    ["no rows", "a.jsonl", "\n\n", "DATA_EMPTY", /holds no question/],
    ["a list of texts", "a.json", '["x"]', "DATA_FIELD", /\[0\] is not[^]*an object with question/],
    ["no paragraphs", "a.json", '{"data": [{"title": "x"}]}', "DATA_COLUMNS", /data\[0\] has no column[^]*received: title/],
  ])("%s", async (_, name, content, code, message) => {
    const error = await errorOf(await write(name, content));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it.each<[string, unknown, string, RegExp]>([
    ["no question", { ...question("1"), question: " " }, "DATA_FIELD", /qas\[0\]\.question is not[^]*a text that is not empty/],
    ["a fraction as answer_start", { ...question("1"), answers: [{ text: "Rome", answer_start: 0.5 }] }, "DATA_FIELD", /a whole number/],
    ["answers of the wrong kind", { ...question("1"), answers: true }, "DATA_FIELD", /answers is not[^]*a text or a number/],
    ["answers missing", { id: "1", question: "?" }, "DATA_ANSWERS", /qas\[0\] has no answers/],
  ])("SQuAD JSON: %s", async (_, value, code, message) => {
    const error = await errorOf(await writeJson(squad([value])));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it.each<[string, unknown, string, RegExp]>([
    ["no context", { ...row("1"), context: undefined }, "DATA_COLUMNS", /line 1 has no column that is known as the context/],
    ["lists of different lengths", row("1", undefined, ["Rome"], []), "DATA_FIELD", /line 1: answers\.answer_start[^]*a list of 1/],
    ["no answers", { ...row("1"), answers: null }, "DATA_ANSWERS", /line 1 has no answers[^]*only prediction/],
    ["a title that is none", { ...row("1"), title: [3] }, "DATA_FIELD", /line 1: title/],
  ])("rows: %s", async (_, value, code, message) => {
    const error = await errorOf(await writeLines([value]));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it("a missing file, a folder, no file, a wrong limit", async () => {
    expect((await errorOf(path.join(folder, "none.json"))).code).toBe("FILE_MISSING");
    expect((await errorOf(folder)).code).toBe("FILE_NOT_READABLE");
    expect((await errorOf([])).code).toBe("DATA_EMPTY");
    for (const limit of [0, -1, 1.5, NaN]) expect((await errorOf("none", { limit })).code).toBe("DATA_OPTION");
  });

  it("questions without answers may be predicted on", async () => {
    const { id, question: text, context } = rome;
    const { examples } = await loadExamples(await writeLines([{ id, question: text, context }]), { answers: "optional" });
    expect(examples[0]).toMatchObject({ answers: [], impossible: true });
  });

  it("lines end at line feeds only, also where a line is larger than a read", async () => {
    const context = `Rome\u2028is\u2029old\u0085 ${"x".repeat(3 << 20)}`;
    const text = JSON.stringify(row("1", context)).replaceAll("\\u2028", "\u2028").replaceAll("\\u2029", "\u2029");
    const { examples } = await loadExamples(await write("long.jsonl", `${text}\n${text.replace('"id":"1"', '"id":"2"')}`));
    expect(examples.map((example) => [example.id, example.context === context])).toEqual([
      ["1", true],
      ["2", true],
    ]);
  });
});
