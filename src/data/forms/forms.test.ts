/** Every form in the shapes that its tool writes: what is read of it, from JSON, JSON lines and, where the tool writes them, tables. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "csv-stringify/sync";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LecternError } from "../../errors.js";
import { loadExamples, type LoadOptions } from "../examples.js";
import type { Fields } from "../fields.js";
import { defineDataForm } from "./data-form.js";
import { registerDataForm } from "./index.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "lectern-forms-"))));
afterAll(() => rm(folder, { recursive: true }));

async function load(name: string, content: string, options?: LoadOptions) {
  const file = path.join(folder, name);
  await writeFile(file, content);
  return loadExamples(file, options);
}

const loadJson = (value: unknown, options?: LoadOptions) => load("data.json", JSON.stringify(value), options);

async function errorOf(content: unknown, options?: LoadOptions): Promise<LecternError> {
  const error: unknown = await loadJson(content, options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LecternError);
  return error as LecternError;
}

const text = "🙂 The light was built in 1871 by Marta Ellison.";
const question = "When was it built?";
const year = { text: "1871", start: 26 };
const built = { question, context: text, answers: [year], impossible: false };
const none = { question: "Who painted it?", context: text, answers: [], impossible: true };
const region = { start: 26, end: 30, text: "1871", labels: ["Answer"] };
const result = [{ id: "r1", from_name: "answer", to_name: "text", type: "labels", value: region }];

/** Records, and the examples that they make. */
const samples: readonly [form: string, what: string, records: Fields[], examples: object[]][] = [
  [
    "squad",
    "CMRC",
    [{ context_id: "T", context_text: text, qas: [{ query_id: "q", query_text: question, answers: ["1871"] }] }],
    [{ ...built, id: "q" }],
  ],
  [
    "squad",
    "Haystack's annotation tool",
    [
      {
        paragraphs: [
          {
            context: text,
            document_id: 2,
            qas: [
              {
                id: 1,
                question,
                answers: [{ answer_id: 3, text: "1871", answer_start: 25, answer_category: "SHORT" }],
                is_impossible: false,
              },
              {
                id: 2,
                question: none.question,
                answers: [{ answer_id: 4, text: "", answer_start: 0, answer_category: "NO_ANSWER" }],
                is_impossible: true,
              },
            ],
          },
        ],
      },
    ],
    [
      { ...built, id: "1" },
      { ...none, id: "2" },
    ],
  ],
  [
    "squad",
    "cdQA's annotator, without ids",
    [{ title: "t", paragraphs: [{ context: text, qas: [{ question, answers: [{ text: "1871", answer_start: 25 }] }] }] }],
    [{ ...built, title: "t" }],
  ],
  [
    "MRQA",
    "lines with a header",
    [
      { header: { dataset: "X", split: "dev" } },
      {
        id: "",
        context: text,
        qas: [
          {
            qid: "q",
            question,
            answers: ["1871", "the year 1871"],
            detected_answers: [{ text: "1871", char_spans: [[25, 28]], token_spans: [[6, 6]] }],
          },
        ],
      },
    ],
    [{ ...built, id: "q", answers: [year, { text: "the year 1871", start: -1 }] }],
  ],
  [
    "MRQA",
    "rows of the Hub",
    [
      {
        subset: "X",
        context: text,
        qid: "q",
        question,
        answers: ["1871"],
        detected_answers: { text: ["1871"], char_spans: [{ start: [25], end: [28] }], token_spans: [] },
      },
    ],
    [{ ...built, id: "q" }],
  ],
  [
    "NewsQA",
    "stories",
    [
      {
        storyId: "s",
        type: "dev",
        text,
        questions: [
          { q: question, consensus: { s: 25, e: 30 }, answers: [] },
          { q: none.question, consensus: { noAnswer: true } },
        ],
      },
    ],
    [
      { ...built, id: "s#0" },
      { ...none, id: "s#1" },
    ],
  ],
  [
    "Haystack",
    "labels",
    [
      {
        id: "l",
        query: question,
        document: { content: text, meta: {} },
        answer: { answer: "1871", offsets_in_document: [{ start: 25, end: 29 }] },
        is_correct_answer: true,
        no_answer: false,
      },
      { id: "m", query: none.question, document: { content: text }, answer: { answer: "" }, is_correct_answer: true, no_answer: true },
    ],
    [
      { ...built, id: "l" },
      { ...none, id: "m" },
    ],
  ],
  [
    "Argilla",
    "version 1",
    [
      {
        question,
        context: text,
        answer: [
          { user_id: "x", value: "1871", status: "submitted" },
          { user_id: "y", value: "by", status: "discarded" },
        ],
        "answer-suggestion": "light",
        external_id: "e",
      },
    ],
    [{ ...built, id: "e" }],
  ],
  [
    "Argilla",
    "version 2",
    [
      {
        id: "a",
        fields: { question, context: text },
        metadata: {},
        suggestions: { answer: { value: "light" } },
        responses: { answer: [{ value: "1871", user_id: "x" }], rating: [{ value: 5 }] },
      },
    ],
    [{ ...built, id: "a" }],
  ],
  [
    "Argilla",
    "version 2, spans",
    [{ id: "a", fields: { question, text }, responses: { spans: [{ value: [{ start: 25, end: 29, label: "answer" }], user_id: "x" }] } }],
    [{ ...built, id: "a" }],
  ],
  [
    "Argilla",
    "version 2, flat",
    [
      {
        id: "a",
        question,
        context: text,
        "answer.responses": ["1871", "by"],
        "answer.responses.users": ["x", "y"],
        "answer.responses.status": ["submitted", "draft"],
        "answer.suggestion": "light",
      },
    ],
    [{ ...built, id: "a" }],
  ],
  [
    "Label Studio",
    "JSON",
    [
      {
        id: 7,
        data: { text, question },
        annotations: [
          { id: 1, was_cancelled: false, result },
          { id: 2, was_cancelled: true, result: [] },
        ],
      },
      {
        id: 8,
        data: { text, question: none.question },
        annotations: [{ id: 3, result: [{ type: "choices", value: { choices: ["no answer"] } }] }],
      },
    ],
    [
      { ...built, id: "7" },
      { ...none, id: "8" },
    ],
  ],
  [
    "Label Studio",
    "JSON, the question written for the region",
    [
      {
        id: 7,
        data: { text },
        annotations: [
          { result: [...result, { id: "r1", from_name: "question", type: "textarea", value: { ...region, text: [question] } }] },
        ],
      },
    ],
    [{ ...built, id: "7" }],
  ],
  [
    "Label Studio",
    "JSON_MIN",
    [
      { id: 7, text, question, answer: [region], annotator: 1, annotation_id: 1 },
      { id: 8, text, question: none.question, annotator: 1, annotation_id: 2 },
    ],
    [
      { ...built, id: "7" },
      { ...none, id: "8" },
    ],
  ],
  ["Doccano", "labels that are questions", [{ id: 7, text, label: [[25, 29, question]] }], [{ ...built, id: "7" }]],
  ["Doccano", "a field with the question", [{ id: 7, text, question, labels: [[25, 29, "ANSWER"]] }], [{ ...built, id: "7" }]],
  [
    "Doccano",
    "entities",
    [{ id: 7, text, question, entities: [{ id: 1, label: "ANSWER", start_offset: 25, end_offset: 29 }], relations: [] }],
    [{ ...built, id: "7" }],
  ],
  [
    "Doccano",
    "before version 1.2",
    [{ id: 7, text, meta: { question }, annotations: [{ label: 1, start_offset: 25, end_offset: 29, user: 1 }] }],
    [{ ...built, id: "7" }],
  ],
  ["Doccano", "sequence to sequence", [{ id: 7, text, question, label: ["1871"] }], [{ ...built, id: "7" }]],
  ["Doccano", "no answer", [{ id: 8, text, question: none.question, label: [] }], [{ ...none, id: "8" }]],
  [
    "Prodigy",
    "spans",
    [{ text, question, spans: [{ start: 25, end: 29, label: "ANSWER", token_start: 1 }], answer: "accept", _input_hash: 1 }],
    [built],
  ],
  [
    "Prodigy",
    "labels that are questions",
    [{ text, spans: [{ start: 25, end: 29, label: question }], meta: { source: "x" }, answer: "accept" }],
    [built],
  ],
];

describe("what tools export is read by its own shape", () => {
  it.each(samples)("%s: %s", async (form, _, records, expected) => {
    for (const { examples, report } of [
      await loadJson(records),
      await load("data.jsonl", records.map((record) => JSON.stringify(record)).join("\n")),
    ]) {
      expect(examples).toMatchObject(expected);
      expect(examples).toHaveLength(expected.length);
      expect(report).toMatchObject({ badRows: 0, files: [{ form }] });
    }
  });

  it("Label Studio's CSV, with regions as JSON", async () => {
    const rows = [
      { text, question, answer: JSON.stringify([region]), id: 7, annotator: 1, annotation_id: 1 },
      { text, question: none.question, answer: "", id: 8, annotator: 1, annotation_id: 2 },
    ];
    const { examples, report } = await load("data.csv", stringify(rows, { header: true }));
    expect(examples).toMatchObject([
      { ...built, id: "7" },
      { ...none, id: "8" },
    ]);
    expect(report.files[0]).toMatchObject({ format: "csv", form: "Label Studio" });
  });

  it("several labels of a text that are questions have ids of their own", async () => {
    const { examples } = await loadJson([{ id: 7, text, label: [[25, 29, question], [33, 46, "Who built it?"]] }]); // prettier-ignore
    expect(examples.map(({ id, answers }) => [id, answers[0].text])).toEqual([
      ["7-0", "1871"],
      ["7-1", "Marta Ellison"],
    ]);
  });

  it.each<[string, Fields, RegExp]>([
    [
      "labels that are kinds of things",
      { id: 1, text, label: [[25, 29, "DATE"]] },
      /label\[0\][^]*a question in the record[^]*field question/,
    ],
    ["a task nobody annotated", { id: 1, data: { text, question }, annotations: [] }, /has no answers/],
    [
      "records without a submitted response",
      { question, context: text, answer: [{ user_id: "x", value: "1871", status: "draft" }] },
      /has no answers/,
    ],
    ["a record nobody responded to", { question, context: text, answer: [], external_id: "e" }, /has no answers/],
    ["what an annotator refused", { text, question, spans: [], answer: "reject" }, /answer is not what it should be[^]*accept/],
    [
      "a wrong answer",
      { query: question, document: { content: text }, answer: { answer: "by" }, is_correct_answer: false },
      /is_correct_answer[^]*which one is right/,
    ],
    ["a bad question", { text, questions: [{ q: question, consensus: { badQuestion: true } }] }, /consensus[^]*a good question/],
  ])("%s is told, and no question without answer", async (_, record, message) => {
    expect((await errorOf([record])).message).toMatch(message);
  });
});

describe("forms that are not read are named, with the conversion to make", () => {
  it.each<[string, Fields]>([
    ["TriviaQA", { Question: "?", Answer: { Value: "x" }, EntityPages: [], QuestionId: "q" }],
    ["Natural Questions", { question_text: "?", document_html: "<p>", annotations: [] }],
    ["TyDi QA", { document_plaintext: "x", question_text: "?", annotations: [] }],
    ["HotpotQA", { _id: "1", question: "?", answer: "x", context: [["Rome", ["It is old."]]], supporting_facts: [] }],
    ["HotpotQA", { question: "?", answer: "x", context: { title: ["Rome"], sentences: [["It is old."]] } }],
    ["MuSiQue", { question: "?", answer: "x", paragraphs: [{ idx: 0, title: "t", paragraph_text: "x" }] }],
    ["DROP", { passage: "x", qa_pairs: [] }],
    ["CoQA", { story: "x", questions: [{ input_text: "?" }], answers: [{ span_text: "x" }] }],
    ["MS MARCO", { query: "?", answers: ["x"], passages: [{ passage_text: "x", is_selected: 1 }] }],
    ["DPR", { question: "?", answers: ["x"], positive_ctxs: [{ text: "x" }] }],
    ["BoolQ", { question: "is it", passage: "x", answer: true }],
    ["multiple choice", { article: "x", question: "?", options: ["a", "b"], answer: "A" }],
    ["chat messages", { messages: [{ role: "user", content: "hi" }] }],
    ["instructions", { instruction: "?", input: "x", output: "x" }],
    ["documents without questions", { title: "t", paragraphs: ["x", "y"] }],
  ])("%s", async (name, record) => {
    for (const content of [[record], { data: [record] }, record]) {
      const error = await errorOf(content);
      expect([error.code, error.detail.received]).toEqual(["DATA_FORM", expect.stringContaining(name)]);
      expect(error.detail.next).toMatch(/Write rows|[Tt]ake|Annotate|columns:/);
    }
  });
});

it("a record of such a form among others is a bad row", async () => {
  const { examples, report } = await loadJson([
    { question, context: text, answer: "1871" },
    { instruction: "?", output: "x" },
  ]);
  expect([examples.length, report.badRows]).toEqual([1, 1]);
});

describe("a form of one's own", () => {
  const faq = defineDataForm({
    name: "our FAQ",
    matches: (record) => "q" in record && "page" in record,
    *read({ q, page, quote }, place) {
      const answers = [{ text: String(quote), start: undefined }];
      yield { id: undefined, title: undefined, question: String(q), context: String(page), answers, impossible: undefined, place };
    },
  });

  it("is read from every way of writing records, until it is taken away", async () => {
    const rows = [{ q: question, page: text, quote: "1871" }];
    const remove = registerDataForm(faq);
    try {
      for (const { examples, report } of [
        await loadJson(rows),
        await load("data.csv", stringify(rows, { header: true })),
        await loadExamples({ rows: rows as never }),
      ]) {
        expect(examples).toMatchObject([built]);
        expect(report.files[0].form).toBe("our FAQ");
      }
    } finally {
      remove();
    }
    expect((await errorOf(rows)).code).toBe("DATA_COLUMNS");
  });
});

it("any value in any form replaced gives examples or a LecternError", async () => {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(null, "", -1, 1e300, [], {}, [null], [[]], [{}], { start: "x" }, [[0, 1, "x y"]], "[1", "{'a': [1]}", {
      value: null,
      status: 1,
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...samples), fc.nat(40), odd, async ([, , records], n, value) => {
      let count = 0;
      const changed: unknown = JSON.parse(JSON.stringify(records), (_, old: unknown) => (count++ === n ? value : old));
      try {
        const { examples } = await loadJson(changed);
        for (const { context, answers } of examples) {
          for (const { text: found, start } of answers) if (start >= 0) expect(context.slice(start, start + found.length)).toBe(found);
        }
      } catch (error) {
        if (!(error instanceof LecternError)) throw error;
      }
    }),
    { numRuns: 600 },
  );
});
