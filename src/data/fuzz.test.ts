import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LecternError } from "../errors.js";
import { loadExamples } from "./examples.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), "lectern-fuzz-"))));
afterAll(() => rm(folder, { recursive: true }));

/** Reads bytes as a data file: examples whose answers stand where they say, or an error for people. */
async function readsOrExplains(name: string, bytes: string | Uint8Array): Promise<void> {
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  try {
    const { examples } = await loadExamples(file);
    for (const { context, answers } of examples) {
      for (const { text, start } of answers) if (start >= 0) expect(context.slice(start, start + text.length)).toBe(text);
    }
  } catch (error) {
    if (!(error instanceof LecternError)) throw error;
  }
}

const squad = {
  version: "v2.0",
  data: [
    {
      title: "Rome",
      paragraphs: [
        {
          context: "🙂 Rome is old, Rome is large.",
          qas: [
            { id: "1", question: "What?", answers: [{ text: "Rome", answer_start: 2 }], is_impossible: false },
            { id: "2", question: "Why?", answers: [], is_impossible: true },
          ],
        },
      ],
    },
  ],
};
const rows = Array.from({ length: 6 }, (_, i) => ({
  id: String(i),
  title: "Rome",
  context: "Rome is old.",
  question: "What?",
  answers: { text: ["Rome"], answer_start: [0] },
}));

/** A JSON value with the n-th value in it (counted in the order of writing) replaced. */
function withReplaced(root: unknown, n: number, replacement: unknown): unknown {
  let count = 0;
  return JSON.parse(JSON.stringify(root), (_, value: unknown) => (count++ === n ? replacement : value));
}

const oddValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(-1, 1e300, "", " ", [], {}, null, [null], { text: ["x"], answer_start: null }, undefined),
);
const mutatedBytes = (bytes: Uint8Array) =>
  fc
    .tuple(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), fc.nat(bytes.length), fc.boolean())
    .map(([changes, length, cut]) => {
      const copy = Uint8Array.from(bytes);
      for (const [at, value] of changes) copy[at] = value;
      return cut ? copy.subarray(0, length) : copy;
    });

describe("whatever a data file holds, reading it gives examples or a LecternError", () => {
  it("SQuAD JSON and rows with any value replaced", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(40), oddValue, fc.constantFrom("squad", "rows", "lines"), async (n, value, form) => {
        if (form === "squad") await readsOrExplains("a.json", JSON.stringify(withReplaced(squad, n, value)) ?? "");
        else if (form === "rows") await readsOrExplains("a.json", JSON.stringify(withReplaced(rows, n, value)) ?? "");
        else await readsOrExplains("a.jsonl", rows.map((row) => JSON.stringify(withReplaced(row, n % 12, value))).join("\n"));
      }),
      { numRuns: 400 },
    );
  });

  it("any JSON value, any text, any bytes", async () => {
    const content = fc.oneof(fc.json(), fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 200 }));
    await fc.assert(
      fc.asyncProperty(content, fc.constantFrom("a.json", "a.jsonl", "a", "a.parquet"), async (bytes, name) =>
        readsOrExplains(name, bytes),
      ),
      { numRuns: 400 },
    );
  });

  it("JSON with bytes changed or cut off", async () => {
    const bytes = Buffer.from(JSON.stringify(squad));
    await fc.assert(
      fc.asyncProperty(mutatedBytes(bytes), (changed) => readsOrExplains("a.json", changed)),
      { numRuns: 300 },
    );
  });

  it("parquet with bytes changed or cut off", async () => {
    const columns = ["id", "title", "context", "question"] as const;
    const flat = [
      ...columns.map((name) => ({ name, data: rows.map((row) => row[name]) })),
      { name: "answer", data: rows.map(() => "Rome") },
      { name: "answer_start", data: rows.map(() => 0), type: "INT32" as const },
    ];
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData: flat, codec: "UNCOMPRESSED" }));
    await writeFile(path.join(folder, "whole.parquet"), bytes);
    expect((await loadExamples(path.join(folder, "whole.parquet"))).examples).toHaveLength(6);
    await fc.assert(
      fc.asyncProperty(mutatedBytes(bytes), (changed) => readsOrExplains("a.parquet", changed)),
      { numRuns: 500 },
    );
  });

  it("a real file with bytes changed or cut off", async () => {
    const bytes = (await readFile("starter/squad/dev.json")).subarray(0, 20_000);
    await fc.assert(
      fc.asyncProperty(mutatedBytes(bytes), (changed) => readsOrExplains("a.json", changed)),
      { numRuns: 50 },
    );
  });
});
