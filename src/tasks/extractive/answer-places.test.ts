/** Where answers begin and end in texts of several scripts, under tokenizers whose words are sentences. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { byteLevelAlphabet } from "tokenizers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRuntime } from "../../../test/engine/compute-graph.js";
import { writeTinyReader } from "../../../test/tiny-reader.js";
import type { AnswerOptions } from "./answer-options.js";
import { type AlignToWords, answerPlaces } from "./answer-places.js";
import type { Answer } from "./answer-spans.js";
import type { Feature } from "./features.js";
import { QuestionAnswerer } from "./question-answerer.js";

/** A window of one word's tokens, cut where the text has a |. */
function wordOf(cut: string): { text: string; window: Feature } {
  const pieces = cut.split("|");
  const text = pieces.join("");
  let at = 0;
  const offsets = Int32Array.from(pieces.flatMap((piece) => [at, (at += piece.length)]));
  const zeros = new Int32Array(pieces.length);
  const wordOffsets = Int32Array.from(pieces.flatMap(() => [0, text.length]));
  return { text, window: { exampleIndex: 0, exampleId: "a", ids: zeros, typeIds: zeros, offsets, wordOffsets, start: 0, end: 0, length: pieces.length } };
}

/** What an answer is that a token alone is the beginning and the end of, token by token. */
function widened(cut: string, align: AlignToWords): string[] {
  const { text, window } = wordOf(cut);
  const places = answerPlaces(text, window, align);
  return Array.from(Array(window.length).keys(), (token) => text.slice(places[2 * token], places[2 * token + 1]));
}

describe("a token is widened", () => {
  test.each<[string, string, string[]]>([
    ["to its word, where the script has spaces", "anti|dis|establish", ["antidisestablish", "antidisestablish", "antidisestablish"]],
    ["in Korean, which has them", "서울|에서", ["서울에서", "서울에서"]],
    ["over signs", "(1843|–|1852).", ["(1843–1852).", "(1843–1852).", "(1843–1852)."]],
    ["over pictures of several signs", "a👩|\u200d👧|b", ["a👩\u200d👧b", "a👩\u200d👧b", "a👩\u200d👧b"]],
    ["not at all in Japanese", "東京|に|住んで|います。", ["東京", "に", "住んで", "います。"]],
    ["not at all in Chinese", "理科|教科书", ["理科", "教科书"]],
    ["not at all in Thai but by the vowels and tones of a letter", "กรุง|เทพ|มห|\u0e32นค|ร", ["กรุง", "เทพ", "มห", "\u0e32นค", "ร"]],
    ["by a tone", "บ|\u0e49าน", ["บ\u0e49", "บ\u0e49าน"]],
    ["by a mark of voice", "か|\u3099く", ["か\u3099", "か\u3099く"]],
    ["to a Latin word among other signs", "彼はＩ|phone|15を|買う", ["彼はＩphone15", "Ｉphone15", "Ｉphone15を", "買う"]],
    ["to a number", "前年比1|8|4.3|増", ["前年比184.3", "184.3", "184.3", "増"]],
    ["not over white space", "New |Yo|rk\u3000City", ["New ", "York", "York\u3000City"]],
  ])("%s", (_, cut, expected) => expect(widened(cut, "auto")).toEqual(expected));

  test("to the tokenizer's word, or not, where that is asked for", () => {
    expect(widened("東京|に", true)).toEqual(["東京に", "東京に"]);
    expect(widened("anti|dis", false)).toEqual(["anti", "dis"]);
  });
});

describe("a reader with a byte-level tokenizer", () => {
  let folder: string;
  let reader: QuestionAnswerer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lectern-byte-level-"));
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(byteLevelDefinition()));
    await writeTinyReader(join(folder, "tiny"), { type: "roberta", tokenizer: [join(folder, "tokenizer.json")], config: { type_vocab_size: 1 } });
    reader = await QuestionAnswerer.from(join(folder, "tiny"), { runtime: testRuntime() });
  });
  afterAll(async () => {
    reader.release();
    await rm(folder, { recursive: true });
  });
  const answersTo = async (context: string, top_k: number, options: AnswerOptions): Promise<Answer[]> => {
    const [prepared] = await reader.prepare([{ question: "?", context }], { ...options, top_k });
    return (await reader.answerPrepared([prepared]))[0];
  };
  const japanese = "本校では全学年の理科の教科書に写真が使われている";

  test("answers with spans inside a sentence, and with the sentence where words are asked for", async () => {
    const answers = await reader.answer({ question: "理科", context: japanese }, { top_k: 5 });
    expect(answers).toHaveLength(5);
    for (const { answer } of answers) expect(answer.length).toBeLessThan(japanese.length / 2);
    const words = await reader.answer({ question: "理科", context: japanese }, { top_k: 5, align_to_words: true });
    expect(words.map(({ answer }) => answer)).toEqual([japanese]);
    const english = { question: "Who?", context: "antidisestablishmentarianism Lovelace" };
    const [auto, word] = [await reader.answer(english, { top_k: 9 }), await reader.answer(english, { top_k: 9, align_to_words: true })];
    expect(auto).toEqual(word);
    expect(word.map(({ answer }) => answer)).not.toContain((await reader.answer(english, { align_to_words: false })).answer);
  });

  test("gives as many answers as there are, up to top_k, none with white space at its ends", async () => {
    const unit = fc.constantFrom("ab", "A", " ", "  ", "\u3000", "\n", "東", "京に", "ไทย", "é", "e\u0301", "😀", ".", "한국");
    const text = fc.array(unit, { minLength: 1, maxLength: 10 }).map((parts) => parts.join(""));
    const modes = fc.constantFrom<AlignToWords>("auto", true, false);
    await fc.assert(
      fc.asyncProperty(text, modes, fc.integer({ min: 2, max: 40 }), fc.boolean(), async (context, align_to_words, top_k, handle_impossible_answer) => {
        const options = { align_to_words, max_answer_len: 4, handle_impossible_answer };
        const all = await answersTo(context, 10_000, options);
        const some = await answersTo(context, top_k, options);
        expect(some).toHaveLength(Math.min(top_k, all.length));
        for (const { answer, start, end } of some) {
          expect(answer).toBe(answer.trim());
          expect(answer).toBe(context.slice(start, end));
          if (align_to_words === "auto") expect(answer).not.toMatch(/^\p{M}/u);
        }
        expect(new Set(some.map(({ answer }) => answer.toLowerCase())).size).toBe(some.length);
        const scores = some.map(({ score }) => score);
        expect(scores).toEqual([...scores].sort((a, b) => b - a));
      }),
      { numRuns: 60 },
    );
  });

  test("begins no answer behind the first letter of a word", async () => {
    const context = "Ada wrote it. Babbage built it";
    const words = context.match(/\w+/g)!;
    for (const { answer } of await answersTo(context, 50, {})) {
      for (const word of answer.match(/\w+/g) ?? []) expect(words).toContain(word);
    }
  });
});

/** Bytes, no merges; its pre-tokenizer puts a space before each word, which the post-processor does not know of. */
function byteLevelDefinition(): object {
  const tokens = ["<s>", "<pad>", "</s>", "<unk>", ...byteLevelAlphabet().sort()];
  const byteLevel = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    added_tokens: tokens.slice(0, 4).map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Whitespace" }, byteLevel] },
    post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0], trim_offsets: true, add_prefix_space: true },
    decoder: byteLevel,
    model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: [] },
  };
}
