/** The examples of docs/reading-f1.md have the figures that the metrics give. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { evaluateSquad1 } from "../../src/evaluate/squad.js";

const rows = [...readFileSync("docs/reading-f1.md", "utf8").matchAll(/^\| ([^|]+) \| ([^|]+) \| (\d+) \| ([\d.]+) \| /gm)].map(
  ([, ...cells]) => cells,
);

test("there are some", () => expect(rows.length).toBeGreaterThan(4));

test.each(rows)("right %s, answered %s: EM %s, F1 %s", (right, answer, exact, f1) => {
  const example = { id: "1", question: "?", context: right, answers: [{ text: right, start: 0 }], impossible: false };
  const figures = evaluateSquad1([example], new Map([["1", answer]]));
  expect([figures.exact_match, Number(figures.f1.toFixed(1))]).toEqual([Number(exact), Number(f1)]);
});
