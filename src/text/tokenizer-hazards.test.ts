import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startOwn } from "../../test/process.js";
import { charsmapProblem } from "./charsmap-hazards.js";
import { Tokenizer } from "./tokenizer.js";
import { tokenizerHazard } from "./tokenizer-hazards.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "tokenizer-hazards-"))));
afterAll(() => rm(folder, { recursive: true }));

const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
const template = { type: "TemplateProcessing", single: [sequence("A")], pair: [sequence("A"), sequence("B")], special_tokens: {} };
const split = (expression: string) => ({ model: {}, pre_tokenizer: { type: "Split", pattern: { Regex: expression }, behavior: "Isolated", invert: false } });
const prepend = { type: "Prepend", prepend: "x".repeat(9) };
const bpe = (merges: unknown[], more: Record<string, unknown> = {}) => ({ model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2, "#b": 3 }, merges, ...more } });

describe("what would end the process is found", () => {
  const cases: Record<string, [definition: Record<string, unknown>, hazard: RegExp]> = {
    "a charsmap that is none": [{ normalizer: { type: "Precompiled", precompiled_charsmap: null } }, /not a text/],
    "a charsmap deep inside": [
      { normalizer: { type: "Sequence", normalizers: [{ type: "Sequence", normalizers: [{ precompiled_charsmap: "!" }] }] } },
      /not base64/,
    ],
    "an empty beginning": [{ normalizer: { type: "Prepend", prepend: "" } }, /empty text/],
    "pieces of no length": [{ pre_tokenizer: { type: "FixedLength", length: 0 } }, /length 0/],
    "a template with an unknown token": [{ post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "[X]" } }], special_tokens: {} } }, /does not define/],
    "a second sequence where there is one": [{ post_processor: { type: "TemplateProcessing", single: [sequence("B")], special_tokens: {} } }, /second sequence/],
    "a template on a template": [
      { post_processor: { type: "Sequence", processors: [template, template] } },
      /two templates/,
    ],
    "a piece of a template in the form of a list": [
      { post_processor: { ...template, pair: [sequence("A"), { SpecialToken: ["[X]", 0] }] } },
      /another form/,
    ],
    "a component in the form of a list": [{ normalizer: ["Precompiled", "!"] }, /not an object/],
    "a merge without a result": [bpe(["b a"]), /no token/],
    "a merge without its prefix": [bpe(["a b"], { continuing_subword_prefix: "#" }), /prefix/],
    "a merge of inherited names": [bpe([["to", "String"]]), /no token/],
    "a repetition in a repetition": [split("(a+)+$"), /repetition in a repetition/],
    "a branch in a repetition": [split("(?:a|a)*$"), /repetition in a repetition/],
    "a repetition far inside": [split("((?:x(a*)))+"), /repetition in a repetition/],
    "an expression of itself": [split("(?<x>a\\g<x>)"), /itself/],
    "a text a thousand times as long": [{ normalizer: { type: "Sequence", normalizers: [prepend, prepend, prepend, prepend] } }, /too long/],
    "a hundred components": [{ normalizer: { type: "Sequence", normalizers: Array.from({ length: 100 }, () => ({ type: "NFC" })) } }, /too many/],
  };
  for (const [name, [definition, hazard]] of Object.entries(cases)) {
    test(name, () => expect(tokenizerHazard(definition)).toMatch(hazard));
  }
});

describe("components nested 20,000 deep are told as the fault of their file", () => {
  const nested = (part: string, list: string, depth = 20_000) =>
    `"${part}":${`{"type":"Sequence","${list}":[`.repeat(depth)}{"type":"NFC"}${"]}".repeat(depth)}`;
  test.each([
    ["normalizers", nested("normalizer", "normalizers")],
    ["pre-tokenizers", nested("pre_tokenizer", "pretokenizers")],
    ["post-processors", nested("post_processor", "processors")],
    ["decoders", nested("decoder", "decoders")],
    ["normalizers under another key's name", nested("normalizer", "decoders")],
    ["lists", `"normalizer":${"[".repeat(20_000)}${"]".repeat(20_000)}`],
    ["a component's fields", `"normalizer":{"type":"Replace","content":"","pattern":${'{"String":'.repeat(20_000)}""${"}".repeat(20_000)}}`],
    ["what nobody reads", `"x":${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ])("%s", async (_, part) => {
    const model = await mkdtemp(join(folder, "nested-"));
    await writeFile(join(model, "tokenizer.json"), `{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"},${part}}`);
    const opened = Tokenizer.fromFolder(model);
    await expect(opened).rejects.toMatchObject({ code: "TOKENIZER_CORRUPT", detail: { received: expect.stringMatching(/deep|object|recursion/) as string } });
    await expect(opened).rejects.toThrow("tokenizer.json");
  });
});

describe("what published tokenizers have is none", () => {
  const expressions = {
    "GPT-2": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "Llama 3": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "o200k": "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|\\s+",
    "ALBERT": " {2,}",
  };
  for (const [name, expression] of Object.entries(expressions)) {
    test(`the expression of ${name}`, () => expect(tokenizerHazard(split(expression))).toBeUndefined());
  }

  test("the merges of BPE, as texts and as pairs", () => {
    expect(tokenizerHazard(bpe(["a b", ["a", "b"]]))).toBeUndefined();
    expect(tokenizerHazard(bpe(["a #b"], { continuing_subword_prefix: "#" }))).toBeUndefined();
  });

  test("the bundled model's tokenizer", async () => {
    const definition = JSON.parse(await readFile("starter/minilm-l6/tokenizer.json", "utf8")) as Record<string, unknown>;
    expect(tokenizerHazard(definition)).toBeUndefined();
  });
});

describe("a charsmap", () => {
  /** Units by their place in a trie of 256; texts behind it. */
  const charsmap = (units: Record<number, number>, texts: string | Buffer, count = 256): string => {
    const trie = Buffer.alloc(4 + 4 * count);
    trie.writeUInt32LE(4 * count);
    for (const [at, unit] of Object.entries(units)) trie.writeUInt32LE(unit, 4 + 4 * Number(at));
    return Buffer.concat([trie, Buffer.from(texts)]).toString("base64");
  };
  const leafAt = 0x100; // the unit's own place

  test("whose trie stays within it, and points to texts, is used", () => {
    expect(charsmapProblem(charsmap({ 0: leafAt }, "a\0"))).toMatch(/undefined|points out/); // its leaf is unit 0 itself
    expect(charsmapProblem(charsmap({ 0: 1 << 10, 97: 97 | leafAt | (98 << 10), 3: 0x80000000 }, "b\0"))).toBeUndefined();
  });

  for (const [name, encoded, problem] of [
    ["is no text", 3, /not a text/],
    ["is no base64", "a", /not base64/],
    ["is empty", "", /cut short/],
    ["has no trie", "AAAAAA==", /trie is cut short/],
    ["is shorter than it says", "/////w==", /trie is cut short/],
    ["leads out of its trie", charsmap({ 97: 97 | (1000 << 10) }, ""), /leads out/],
    ["has a trie that is no whole block", charsmap({}, "", 10), /leads out/],
    ["points behind its texts", charsmap({ 97: 97 | leafAt | (98 << 10), 3: 0x80000009 }, "b\0"), /points out/],
    ["points into a letter", charsmap({ 97: 97 | leafAt | (98 << 10), 3: 0x80000001 }, "é\0"), /points out/],
    ["points to an endless text", charsmap({ 97: 97 | leafAt | (98 << 10), 3: 0x80000000 }, "b".repeat(1000)), /points out/],
    ["has texts that are not UTF-8", charsmap({}, Buffer.from([0xff])), /UTF-8/],
  ] as const) {
    test(`that ${name} is not`, () => expect(charsmapProblem(encoded)).toMatch(problem));
  }
});

test("no tokenizer with something in it changed ends the process", async () => {
  const { code, signal, stdout, stderr } = await startOwn("test/tokenizer-mutations.ts", [join(folder, "model"), "1", "1500"], { cwd: folder }).ended;
  expect([code, signal, stderr]).toEqual([0, null, ""]);
  expect(stdout).toMatch(/^all 1500: .*"worked":\d{3}/);
});
