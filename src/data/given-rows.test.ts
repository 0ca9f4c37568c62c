/** Rows and examples in memory as a source: what is made of them, and how slips are told. */
import { describe, expect, test } from "vitest";
import { loadExamples, type QaExample } from "./examples.js";
import type { QuestionRow } from "./given-rows.js";

const context = "🙂 Rome is the capital. Rome is old.";
const row: QuestionRow = { id: 7, title: "Cities", question: "Which city?", context, answers: [{ text: "Rome", answer_start: 2 }] };

describe("rows", () => {
  test("are read as those of files: places in code points, ids and negatives by the same rules", async () => {
    const rows: QuestionRow[] = [
      row,
      { question: "Which city is old?", context, answer: "Rome is old" },
      { id: "7", question: "Which river?", context, answers: { text: [] } },
      { question: "Which sea?", context, is_impossible: true },
    ];
    const { examples, report } = await loadExamples({ name: "mine", rows });
    expect(examples).toMatchObject([
      { id: "7", title: "Cities", answers: [{ text: "Rome", start: 3 }], impossible: false },
      { id: "mine-1", answers: [{ text: "Rome is old", start: 24 }] },
      { id: "mine/7", answers: [], impossible: true },
      { id: "mine-3", answers: [], impossible: true },
    ]);
    expect(report).toMatchObject({ examples: 4, repeatedIds: 1, repaired: 1, files: [{ path: "mine", format: "rows", questions: 4 }] });
    expect(report.findings.flatMap(({ shown }) => shown).map(({ file, place }) => `${file}: ${place}`)).toEqual([
      "mine: row 1",
      "mine: row 2",
    ]);
  });

  test("stand beside files, and are called rows where they have no name", async () => {
    const { examples } = await loadExamples([{ rows: [{ ...row, id: null }] }, "starter/squad/dev.json"], { limit: 2 });
    expect(examples.map(({ id }) => id)).toEqual(["rows-0", expect.stringMatching(/^[0-9a-f]{24}$/)]);
  });

  test("that are none are told", async () => {
    const rows = [[row], { rows: "a.json" }, { name: "mine", rows: undefined }] as unknown as { rows: QuestionRow[] }[];
    for (const source of rows) await expect(loadExamples(source)).rejects.toMatchObject({ code: "DATA_OPTION" });
    await expect(loadExamples("rows:trainData")).rejects.toMatchObject({ code: "DATA_ROWS_MISSING" });
  });
});

describe("examples that were read before", () => {
  const example: QaExample = {
    id: "a",
    question: "Which city?",
    context,
    answers: [{ text: "Rome", start: 3, written: "ROME" }],
    impossible: false,
  };
  const again = async (...examples: QaExample[]) => loadExamples({ rows: examples });

  test("stay what they are, what the program keeps with them too", async () => {
    const lost = { ...example, id: "b", answers: [{ text: "Paris", start: -1 }], difficulty: 3 };
    const { examples, report } = await again(example, lost);
    expect(examples).toEqual([example, lost]);
    expect(report).toMatchObject({ lost: 1, untrainable: 1, repaired: 0, findings: [] });
  });

  test("are placed anew where their context has changed, and named anew where their id is taken", async () => {
    const longer = { ...example, context: `Long ago. ${context}` };
    const { examples, report } = await again(example, longer, { ...example, context: "Milan." }, { ...example, answers: [] });
    expect(examples.map(({ id, answers, impossible }) => [id, answers[0]?.start, impossible])).toEqual([
      ["a", 3, false],
      ["rows/a", 13, false],
      ["rows/a/2", -1, false],
      ["rows/a/3", undefined, true],
    ]);
    expect(report).toMatchObject({ repaired: 1, lost: 1, repeatedIds: 3 });
  });
});
