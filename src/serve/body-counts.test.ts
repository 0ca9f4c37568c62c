import fc from "fast-check";
import { expect, test } from "vitest";
import { type BodyCounts, countBody, deepest } from "./body-counts.js";

/** The same of a value, by walking through it. */
function countValue(value: unknown): BodyCounts {
  if (typeof value !== "object" || value === null) return { depth: 0, keys: 0, longestList: 0, commas: 0 };
  const members = Object.values(value);
  const inner = members.map(countValue);
  const sum = (name: "keys" | "commas"): number => inner.reduce((total, one) => total + one[name], 0);
  const own = Array.isArray(value) ? { keys: 0, list: members.length > 1 ? members.length : 0 } : { keys: members.length, list: 0 };
  return {
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
    keys: own.keys + sum("keys"),
    longestList: Math.max(own.list, ...inner.map(({ longestList }) => longestList)),
    commas: Math.max(0, members.length - 1) + sum("commas"),
  };
}

test("of any JSON what it holds, whatever its strings hold", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom('"', "\\", '\\"', "[{,:", "\\\\"));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: deepest - 1 }, text, fc.integer(), fc.constant(null), tie("list"), tie("object")),
    list: fc.array(tie("value"), { maxLength: 5 }),
    object: fc.dictionary(text, tie("value"), { maxKeys: 5, noNullPrototype: true }),
  }));
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 2), (one, indent) => {
      expect(countBody(Buffer.from(JSON.stringify(one, null, indent)))).toEqual(countValue(one));
    }),
  );
});

test("of bytes that are no JSON something, and no deeper than the limit", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void expect(countBody(bytes).depth).toBeLessThanOrEqual(deepest + 1)));
  expect(countBody(Buffer.from("[".repeat(1e6))).depth).toBe(deepest + 1);
  expect(countBody(Buffer.from('{"a": "')).keys).toBe(1);
});
