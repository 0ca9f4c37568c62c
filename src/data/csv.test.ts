import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { stringify } from "csv-stringify/sync";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LecternError } from "../errors.js";
import { loadExamples, type LoadOptions } from "./examples.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "lectern-csv-"))));
afterAll(() => rm(folder, { recursive: true }));

async function load(name: string, content: string | Uint8Array, options?: LoadOptions) {
  const file = path.join(folder, name);
  await writeFile(file, content);
  const { examples, report } = await loadExamples(file, options);
  return { examples, report, bad: report.findings.filter(({ kind }) => kind === "bad row").flatMap(({ shown }) => shown) };
}

async function errorOf(name: string, content: string | Uint8Array, options?: LoadOptions): Promise<LecternError> {
  const error: unknown = await load(name, content, options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LecternError);
  return error as LecternError;
}

const context = 'Rome, "the old city",\nis old.';
const quoted = '"Rome, ""the old city"",\nis old."';
const rome = { id: "7", title: "Rome", question: "Which city?", context, answers: [{ text: "Rome", start: 0 }], impossible: false };
const table = (delimiter: string, lineEnd = "\n", names = ["id", "title", "context", "question", "answer", "answer_start"]) =>
  [names, ["7", "Rome", quoted, "Which city?", "Rome", "0"]].map((cells) => cells.join(delimiter) + lineEnd).join("");
const utf16 = (text: string, bigEndian = false): Uint8Array => {
  const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
  return bigEndian ? bytes.swap16() : bytes;
};

describe("a table in text", () => {
  it.each<[string, string, string | Uint8Array]>([
    ["CSV", "a.csv", table(",")],
    ["CSV under another name", "a.txt", table(",")],
    ["CSV under the name of JSON", "a.json", table(",")],
    ["TSV", "a.tsv", table("\t")],
    ["semicolons, as Excel writes them where numbers have commas", "a.csv", table(";", "\r\n")],
    ["pipes", "a.csv", table("|")],
    ["a byte order mark", "a.csv", `\ufeff${table(",")}`],
    ["a line that states the delimiter", "a.csv", `\ufeffsep=;\r\n${table(";", "\r\n")}`],
    ["UTF-16, which Excel calls Unicode text", "a.txt", utf16(table("\t", "\r\n"))],
    ["UTF-16, big-endian", "a.csv", utf16(table(","), true)],
    ["UTF-16 without a byte order mark", "a.csv", utf16(table(",")).subarray(2)],
    ["gzip", "a.csv.gz", gzipSync(table(","))],
    ["line ends of both kinds", "a.csv", table(",", "\r\n").replace("answer_start\r", "answer_start")],
    ["no line end after the last row", "a.csv", table(",").trimEnd()],
    ["names in capitals, with spaces", "a.csv", table(",", "\n", ["ID", "Title", "Context", " Question ", "Answer Text", "Answer Start"])],
    ["other usual names", "a.csv", table(",", "\n", ["qid", "title", "passage", "query", "answer", "answerStart"])],
    ["columns that say nothing", "a.csv", table(",").replace("id", ",id").replace("7", "0,7")],
    ["rows without text", "a.csv", `\n${table(",")}\n,,,,,\n \n`],
  ])("%s", async (_, name, content) => {
    const { examples, report } = await load(name, content);
    expect(examples).toEqual([rome]);
    expect(report).toMatchObject({ badRows: 0, files: [{ format: "csv", form: "rows" }] });
  });

  it("old Macintosh line ends", async () => {
    const { examples } = await load("a.csv", table(",", "\r").replaceAll("\n", " "));
    expect(examples[0].context).toBe(context.replace("\n", " "));
  });

  it("an empty cell is no answer, and several answers may stand in one as JSON or as Python prints them", async () => {
    const rows = [
      ["context", "question", "answers"],
      ["Rome is old.", "1", ""],
      ["Rome is old.", "2", "Rome"],
      ["Rome is old.", "3", '["Rome", "old"]'],
      ["Rome is old.", "4", "{'text': array(['Rome', 'old'], dtype=object), 'answer_start': array([0, 8])}"],
      ["Rome is old.", "5", '{"text": [], "answer_start": []}'],
      ["Rome is old.", "6", "[{'text': 'old', 'answer_start': 8}]"],
    ];
    const { examples } = await load("a.csv", stringify(rows));
    const both = [
      { text: "Rome", start: 0 },
      { text: "old", start: 8 },
    ];
    expect(examples.map(({ answers }) => answers)).toEqual([[], both.slice(0, 1), both, both, [], both.slice(1)]);
  });

  it("spaces behind the commas of all lines are not part of the cells", async () => {
    const { examples } = await load("a.csv", 'context, question, answer\n"Rome, old.", "Which, then?", Rome\n');
    expect(examples[0]).toMatchObject({ context: "Rome, old.", question: "Which, then?", answers: [{ text: "Rome", start: 0 }] });
  });

  it("spaces at the ends of cells are kept otherwise: places count them", async () => {
    const { examples, report } = await load("a.csv", "context,question,answer,answer_start\n  Rome.,Which?,Rome,2\n");
    expect([examples[0].context, report.repaired]).toEqual(["  Rome.", 0]);
  });

  it("quotes that mean nothing: in the middle of a cell, and in tables with tabs", async () => {
    const inches = await load("a.csv", 'context,question,answer\nIt is 5" wide.,How wide?,5"\n');
    expect(inches.examples[0].answers).toEqual([{ text: '5"', start: 6 }]);
    const tabs = await load("a.tsv", 'context\tquestion\tanswer\n"Yes" he said.\tWhat?\t"Yes"\n');
    expect(tabs.examples[0].context).toBe('"Yes" he said.');
    const open = await load("a.tsv", 'context\tquestion\tanswer\n"Rome.\t1\tRome\n"Rome" too.\t2\tRome\nRome.\t3\tRome\n');
    expect([open.examples.map((example) => example.question), open.bad.map(({ place }) => place)]).toEqual([["3"], ["line 2"]]);
  });

  it("quotes after a backslash, as Spark and MySQL write them", async () => {
    const { examples, report } = await load(
      "a.csv",
      String.raw`context,question,answer
"He said \"yes\" to it.","\"What\"?","\"yes\""
`,
    );
    expect(examples[0]).toMatchObject({ context: 'He said "yes" to it.', question: '"What"?', answers: [{ text: '"yes"', start: 8 }] });
    expect(report.badRows).toBe(0);
  });

  it("a row that cannot be read is told with its line, and the others are read", async () => {
    const lines = [
      "context,question,answer",
      '"Rome',
      'is old.",Which?,Rome',
      "",
      "Rome, too, is old.,Which?,Rome",
      'Rome is old.,"Who "said" so",Rome',
      "Rome is old.",
      "Rome is old.,Which?",
      "Rome is old.,Which?,Rome",
    ];
    const { examples, bad } = await load("a.csv", lines.join("\r\n"));
    expect(examples.map(({ context: text }) => text)).toEqual(["Rome\r\nis old.", "Rome is old."]);
    expect(bad.map(({ place, what }) => `${place}: ${what}`).sort()).toEqual([
      "line 5: there are more cells than columns",
      "line 6: a quote stands where none can",
      "line 7: question is missing",
      "line 8: answers are missing",
    ]);
  });
});

describe("a table that cannot be read is an error that says where and what", () => {
  it.each<[string, string | Uint8Array, string, RegExp]>([
    ["a quote that is not closed", 'context,question\nRome.,Which?\n"Rome.,Which?\nRome.,Which?\n', "DATA_SYNTAX", /line 3[^]*not closed/],
    [
      "another encoding",
      Buffer.from("context,question\nRome.,Which?\nKöln.,Welche?\n", "latin1"),
      "DATA_SYNTAX",
      /line 3 is not UTF-8[^]*CSV UTF-8/,
    ],
    [
      "unknown columns",
      "Frage;Absatz\nWo?;Rom.\n",
      "DATA_COLUMNS",
      /question or the context[^]*received: Frage, Absatz\n[^]*columns: \{ question: …, context: …, answer: … \}/,
    ],
    ["no rows", "context,question,answer\n", "DATA_EMPTY", /holds no question/],
    ["no line", "\n", "DATA_COLUMNS", /no columns/],
  ])("%s", async (_, content, code, message) => {
    const error = await errorOf("a.csv", content, { answers: "optional" });
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it("a quote that is not closed does not take a large file into memory", async () => {
    const error = await errorOf("a.csv", `context,question\n"${"Rome is old.\n".repeat(3_000_000)}`);
    expect(error.message).toMatch(/line 2[^]*longer/);
  });
});

describe("files that are no text", () => {
  it.each([
    ["a.xlsx", "PK\x03\x04 [Content_Types].xml", /Excel workbook[^]*CSV UTF-8/],
    ["a.ods", "PK\x03\x04 mimetypeapplication/vnd.oasis.opendocument.spreadsheet", /OpenDocument spreadsheet/],
    ["a.zip", "PK\x03\x04 data.json", /a zip archive[^]*Unpack/],
    ["a.xls", "\xd0\xcf\x11\xe0\xa1\xb1", /Excel workbook/],
    ["a.arrow", "ARROW1", /Arrow[^]*parquet/],
    ["a.db", "SQLite format 3\0", /SQLite[^]*CSV/],
    ["a.pkl", "\x80\x04\x95", /pickle[^]*to_parquet/],
  ])("%s is refused by name, with the conversion to make", async (name, content, message) => {
    const error = await errorOf(name, Buffer.from(content, "latin1"));
    expect(error.code).toBe("DATA_FORM");
    expect(error.message).toMatch(message);
  });
});

describe("any table", () => {
  const cell = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: fc.constantFrom('"', ",", ";", "\t", "\n", "\r\n", " ", "a", "é") }),
  );
  const filled = cell.filter((text) => text.trim() !== "" && !/^[[{]|^array/.test(text.trim()));

  it("that a writer of CSV makes is read as it was", async () => {
    const rows = fc.array(fc.tuple(filled, filled), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(rows, fc.constantFrom(",", ";", "\t", "|"), fc.constantFrom("unix", "windows"), async (pairs, delimiter, ends) => {
        const text = stringify([["context", "question"], ...pairs], {
          delimiter,
          record_delimiter: ends,
          bom: ends === "windows",
          quoted: true,
        });
        const { examples } = await load("fuzz.csv", text, { answers: "optional" });
        expect(examples.map(({ context: text_, question }) => [text_, question])).toEqual(pairs);
      }),
      { numRuns: 150 },
    );
  });

  it("of any bytes gives examples or a LecternError", async () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom('"', '""', ",", ";", "\t", "\n", "\r", "context,question,answer\n", "\ufeff", "sep=;\n"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.constantFrom("utf8", "utf16le", "latin1"), async (pieces, encoding) => {
        try {
          await load("fuzz.csv", Buffer.from(pieces.join(""), encoding as BufferEncoding));
        } catch (error) {
          if (!(error instanceof LecternError)) throw error;
        }
      }),
      { numRuns: 400 },
    );
  });
});
