import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePythonLiteral } from "./python-literal.js";

describe("what Python prints", () => {
  it.each<[string, unknown]>([
    ["['Rome', \"it's\"]", ["Rome", "it's"]],
    ["{'text': array(['in 1871'], dtype=object), 'answer_start': array([44])}", { text: ["in 1871"], answer_start: [44] }],
    [
      "{'answer_start': array([44], dtype=int32), 'text': array(['a', 'b'],\n      dtype=object)}",
      { answer_start: [44], text: ["a", "b"] },
    ],
    ["[{'text': 'Rome', 'answer_start': 3}]", [{ text: "Rome", answer_start: 3 }]],
    ["{'text': [], 'answer_start': []}", { text: [], answer_start: [] }],
    ["{'a': None, 'b': True, 'c': False, 'd': nan}", { a: null, b: true, c: false, d: null }],
    ["[np.int64(44), -1.5, 1e3]", [44, -1.5, 1000]],
    ["('Rome',)", ["Rome"]],
    ["['Rome' 'Paris']", ["Rome", "Paris"]],
    ["['Z\\xfcrich', '\\u00e9\\n', 'a\\\\b', '\\U0001f642']", ["Zürich", "é\n", "a\\b", "🙂"]],
    ["[]", []],
  ])("%s", (text, value) => {
    expect(parsePythonLiteral(text)).toEqual(value);
  });

  it.each(["[citation needed]", "['Rome'", "['Rome'] and more", "{1: 2}", "[__import__('os')]x", "{'a' 'b'}", "[".repeat(50), "", "['a"])(
    "what is none is left as it is: %s",
    (text) => {
      expect(parsePythonLiteral(text)).toBeUndefined();
    },
  );

  it("a key __proto__ is a key", () => {
    expect(Object.keys(parsePythonLiteral("{'__proto__': 1}") as object)).toEqual(["__proto__"]);
  });

  it("any text is read or left, in time that grows with its length", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom("[", "]", "{", "}", "(", ")", "'", '"', "\\", ",", ":", "array(", "None", "dtype=object", "1", " "),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => void parsePythonLiteral(pieces.join(""))),
      { numRuns: 1000 },
    );
    for (const text of ["'".repeat(200_001), "[".repeat(200_000), "['a', ".repeat(100_000), "\\'".repeat(100_000)]) {
      expect(parsePythonLiteral(text)).toBeUndefined();
    }
  });
});
