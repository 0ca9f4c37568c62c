import fc from "fast-check";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { byteLevelAlphabet, Tokenizer as RustTokenizer } from "tokenizers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Tokenizer, type Encoding } from "./tokenizer.js";

const bertWords = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  "who",
  "wrote",
  "it",
  "?",
  "the",
  "book",
  "##s",
  "a",
  "b",
  "c",
  "d",
  "e",
  "f",
];
const halfCharacter = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
let root: string;
let bert: Tokenizer;
let roberta: Tokenizer;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "tokenizer-"));
  bert = await Tokenizer.fromFolder(await folderWith({ "vocab.txt": `${bertWords.join("\n")}\n` }));
  roberta = await Tokenizer.fromFolder(await folderWith({ "tokenizer.json": JSON.stringify(robertaDefinition()) }));
});
afterAll(() => rm(root, { recursive: true }));

let folders = 0;
async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(path.join(root, `${folders++}-`));
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
  return folder;
}

/** A byte-level BPE as RoBERTa's, its vocabulary the bytes, a few merges and the special tokens. */
function robertaDefinition(): Record<string, unknown> {
  const merges = [
    ["h", "e"],
    ["t", "he"],
    ["Ġ", "the"],
  ];
  const pieces = ["<s>", "<pad>", "</s>", "<unk>", ...byteLevelAlphabet().sort(), ...merges.map(([a, b]) => a + b), "<mask>"];
  const vocabulary = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  return {
    version: "1.0",
    truncation: { direction: "Right", max_length: 4, strategy: "LongestFirst", stride: 0 },
    padding: { strategy: { Fixed: 9 }, direction: "Right", pad_to_multiple_of: null, pad_id: 1, pad_type_id: 0, pad_token: "<pad>" },
    added_tokens: ["<s>", "<pad>", "</s>", "<unk>", "<mask>"].map((content) => ({
      id: vocabulary[content],
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0], trim_offsets: true, add_prefix_space: false },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      vocab: vocabulary,
      merges,
    },
  };
}

function pieces({ offsets, sequenceIds }: Encoding, text: string, sequence: 0 | 1): string[] {
  return offsets.filter((_, i) => sequenceIds[i] === sequence).map(([start, end]) => text.slice(start, end));
}

describe("a BERT tokenizer built from vocab.txt", () => {
  test("puts [CLS] first [SEP] second [SEP] with their token types", async () => {
    const [[window]] = await bert.encodePairs([{ first: "Who wrote it?", second: "The books" }], { maxLength: 20 });
    expect(window.ids.map((id) => bertWords[id]).join(" ")).toBe("[CLS] who wrote it ? [SEP] the book ##s [SEP]");
    expect(window.typeIds).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
    expect(window.sequenceIds).toEqual([null, 0, 0, 0, 0, null, 1, 1, 1, null]);
    expect(window.offsets).toEqual([
      [0, 0],
      [0, 3],
      [4, 9],
      [10, 12],
      [12, 13],
      [0, 0],
      [0, 3],
      [4, 8],
      [8, 9],
      [0, 0],
    ]);
  });

  test("knows its special tokens and size", () => {
    expect([bert.padId, bert.clsId, bert.sepId, bert.padTypeId, bert.vocabularySize, bert.maxLength]).toEqual([0, 2, 3, 0, 18, undefined]);
    expect(bert.files.map((file) => file.name)).toEqual(["vocab.txt"]);
  });

  test("keeps case where its config says so", async () => {
    const folder = await folderWith({
      "vocab.txt": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "Who", "who"].join("\n"),
      "tokenizer_config.json": JSON.stringify({ do_lower_case: false, model_max_length: 512, pad_token: { content: "[PAD]" } }),
    });
    const tokenizer = await Tokenizer.fromFolder(folder);
    expect((await tokenizer.encode("Who who")).ids).toEqual([2, 4, 5, 3]);
    expect(tokenizer.maxLength).toBe(512);
  });

  test("decodes", async () => {
    const { ids } = await bert.encode("Who wrote the books?");
    expect(await bert.decode(ids)).toBe("[CLS] who wrote the books? [SEP]");
    expect(await bert.decode(ids, { skipSpecialTokens: true })).toBe("who wrote the books?");
    expect((await bert.encode("who", { addSpecialTokens: false })).ids).toEqual([5]);
  });
});

describe("a RoBERTa tokenizer", () => {
  test("puts <s> first </s></s> second </s>, without token types", async () => {
    const text = "is the";
    const [[window]] = await roberta.encodePairs([{ first: "the", second: text }], { maxLength: 20 });
    expect(window.ids.map((id, i) => (window.sequenceIds[i] === null ? id : "."))).toEqual([0, ".", 2, 2, ".", ".", ".", 2]);
    expect(new Set(window.typeIds)).toEqual(new Set([0]));
    expect(pieces(window, text, 1)).toEqual(["i", "s", "the"]);
    expect([roberta.clsId, roberta.sepId, roberta.padId]).toEqual([0, 2, 1]);
  });

  test("ignores the truncation and padding that were saved with it", async () => {
    expect((await roberta.encode("one two three")).ids).toHaveLength(15);
  });
});

describe("words", () => {
  test("are told of each token where asked for, special tokens being part of none", async () => {
    const pair = [{ first: "it", second: "The books 😀 it." }];
    const [[window]] = await bert.encodePairs(pair, { maxLength: 20, words: true });
    expect(window.ids.map((id) => bertWords[id]).join(" ")).toBe("[CLS] it [SEP] the book ##s [UNK] it [UNK] [SEP]");
    expect(window.wordIds).toEqual([null, 0, null, 0, 1, 1, 2, 3, 4, null]);
    expect((await bert.encodePairs(pair, { maxLength: 20 }))[0][0].wordIds).toBeUndefined();
  });

  test("keep their numbers in every window", async () => {
    const windows = (await bert.encodePairs([{ first: "it", second: "the books the books" }], { maxLength: 7, stride: 1, words: true }))[0];
    expect(windows.map(({ wordIds }) => wordIds!.slice(3, -1))).toEqual([
      [0, 1, 1],
      [1, 2, 3],
      [3, 3],
    ]);
  });
});

test("the size of a vocabulary is that of the library's own copy, added tokens with it, whichever form the model has", async () => {
  const added = (id: number, content: string) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const definition = (model: object, ...tokens: object[]) =>
    JSON.stringify({ ...robertaDefinition(), added_tokens: tokens, model, post_processor: null });
  const unigram = { type: "Unigram", unk_id: 0, vocab: [["<unk>", 0], ["a", -1], ["the", -2]], byte_fallback: false }; // prettier-ignore
  const wordLevel = { type: "WordLevel", vocab: { a: 0, the: 7 }, unk_token: "a" };
  const definitions = [
    definition(unigram),
    definition(unigram, added(3, "<s>"), added(1, "a")),
    definition(wordLevel),
    definition(wordLevel, added(8, "<s>")),
  ];
  for (const text of [...definitions, JSON.stringify(robertaDefinition())]) {
    const { vocabularySize } = await Tokenizer.fromFolder(await folderWith({ "tokenizer.json": text }));
    expect(vocabularySize).toBe(Math.max(...Object.values(RustTokenizer.fromString(text).getVocab(true))) + 1);
  }
});

describe("offsets are UTF-16 code units of the original text", () => {
  const texts = {
    emoji: "who 😀 wrote 👩‍👩‍👧 it 🇫🇷 the",
    "combining marks": "the cafe\u0301 e\u0301 the n\u0303 book",
    "line ends and doubled spaces": "  the\r\n\r\n  book\t\ta  ",
    "right to left": "the שלום עולם book مرحبا a",
    Chinese: "the 漢字𠀀𠀁 book",
    "a lone surrogate": "the \ud800 book \udc00 a",
    "zeros and controls": "the \0book \u200b a \ufeff b",
  };
  for (const [name, text] of Object.entries(texts)) {
    test(name, async () => {
      for (const tokenizer of [bert, roberta]) {
        const [[window]] = await tokenizer.encodePairs([{ first: text, second: text }], { maxLength: 500 });
        for (const sequence of [0, 1] as const) {
          const found = pieces(window, text, sequence);
          expect(found).toContain("the");
          expect(found.join("")).not.toMatch(/^\s|\s$/);
          // No piece begins or ends inside a character.
          for (const piece of found) if (!name.includes("surrogate")) expect(piece).not.toMatch(halfCharacter);
        }
        expect(pieces(await tokenizer.encode(text), text, 0)).toEqual(pieces(window, text, 0));
      }
    });
  }

  test("words stand where they stood", async () => {
    const text = "😀 the 𠀀book";
    const [[window]] = await bert.encodePairs([{ first: "a", second: text }], { maxLength: 50 });
    expect(pieces(window, text, 1)).toEqual(["😀", "the", "𠀀", "book"]);
  });
});

describe("the places of byte-level tokens hold every letter, and no white space at their ends, whatever stands before and behind ByteLevel", () => {
  const byteLevel = (add_prefix_space: boolean) => ({ type: "ByteLevel", add_prefix_space, trim_offsets: true, use_regex: true });
  const roberta = (add_prefix_space: boolean) => ({ type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0], trim_offsets: true, add_prefix_space });
  const cases: Record<string, [preTokenizers: object[], postProcessor: object | null]> = {
    "RoBERTa's": [[byteLevel(false)], roberta(false)],
    "a space put before the text": [[byteLevel(true)], roberta(true)],
    "a space put before each word": [[{ type: "Whitespace" }, byteLevel(true), { type: "Punctuation", behavior: "Isolated" }], roberta(true)],
    "a space put before each word, of which the post-processor does not know": [[{ type: "WhitespaceSplit" }, byteLevel(true)], roberta(false)],
    "a byte-level post-processor in a sequence": [
      [{ type: "Digits", individual_digits: true }, byteLevel(true)],
      { type: "Sequence", processors: [byteLevel(true), { type: "Sequence", processors: [byteLevel(false)] }] },
    ],
    "no post-processor": [[byteLevel(true)], null],
  };
  for (const [name, [pretokenizers, post_processor]] of Object.entries(cases)) {
    test(name, async () => {
      const definition = { ...robertaDefinition(), pre_tokenizer: { type: "Sequence", pretokenizers }, post_processor };
      const tokenizer = await Tokenizer.fromFolder(await folderWith({ "tokenizer.json": JSON.stringify(definition) }));
      const unit = fc.constantFrom("the", "he", "b", ".", "1", "-", " ", "  ", "\n", "\t", "\u00a0", "\u2003");
      await fc.assert(
        fc.asyncProperty(fc.array(unit, { maxLength: 20 }), async (parts) => {
          const text = parts.join("");
          const { offsets, sequenceIds } = await tokenizer.encode(text);
          const covered = new Set<number>();
          for (const [at, [start, end]] of offsets.entries()) {
            if (sequenceIds[at] === null) continue;
            expect(text.slice(start, end)).toBe(text.slice(start, end).trim());
            for (let place = start; place < end; place++) covered.add(place);
          }
          const letters = [...text].flatMap((character, place) => (character.trim() === "" ? [] : [place]));
          expect([...covered].sort((a, b) => a - b)).toEqual(letters);
        }),
        { numRuns: 100 },
      );
    });
  }
});

describe("windows", () => {
  test("cut a context as the library cuts a finished encoding", async () => {
    const library = RustTokenizer.fromString(JSON.stringify({ ...robertaDefinition(), truncation: null, padding: null }));
    const text = fc.string({ unit: fc.constantFrom(..."the 😀é\n"), maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 20 }), fc.nat(12), async (second, room, stride) => {
        fc.pre(stride < room && second.length > 0);
        const [cut] = await library.encodeBatch([second], { addSpecialTokens: false });
        cut.truncate(room, stride, "right");
        const expected = [cut, ...cut.getOverflowing()].map((window) => window.getIds());
        const [windows] = await roberta.encodePairs([{ first: "the", second }], { maxLength: room + 5, stride });
        expect(windows.map(({ ids, sequenceIds }) => ids.filter((_, i) => sequenceIds[i] === 1))).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  test("overlap by the stride, and the last one ends with the context", async () => {
    const text = "a b c d e f a b c d";
    const [windows] = await bert.encodePairs([{ first: "who", second: text }], { maxLength: 9, stride: 2 });
    expect(windows.map((window) => pieces(window, text, 1).join(""))).toEqual(["abcde", "defab", "abcd"]);
  });

  test("without a stride there is one, cut at the end", async () => {
    const [windows] = await bert.encodePairs([{ first: "who", second: "a b c d e f" }], { maxLength: 8 });
    expect(windows).toHaveLength(1);
    expect(windows[0].ids).toHaveLength(8);
  });

  test("a question that leaves no room is a clear error", async () => {
    const pair = { first: "who wrote it who wrote it who", second: "a b" };
    await expect(bert.encodePairs([pair], { maxLength: 10, stride: 2 })).rejects.toMatchObject({ code: "TOKENIZER_WINDOW" });
    await expect(bert.encodePairs([pair], { maxLength: 10, stride: 2 })).rejects.toThrow(
      /who wrote it.*leaves no room[\s\S]*at most 6 tokens[\s\S]*7 tokens/,
    );
  });

  test("a question that leaves less room than the stride still reaches the end of its context", async () => {
    const text = "a b c d e f";
    const [windows] = await bert.encodePairs([{ first: "who wrote it ?", second: text }], { maxLength: 9, stride: 4 });
    expect(windows.map((window) => pieces(window, text, 1).join(""))).toEqual(["ab", "bc", "cd", "de", "ef"]);
  });

  test("a question can be cut", async () => {
    const [windows] = await bert.encodePairs([{ first: "who wrote it who wrote it", second: "a b" }], {
      maxLength: 9,
      stride: 0,
      maxFirstLength: 2,
    });
    expect(windows).toHaveLength(1);
    expect(windows[0].ids.map((id) => bertWords[id]).join(" ")).toBe("[CLS] who wrote [SEP] a b [SEP]");
  });

  test("of a text that is too long are not made", async () => {
    const text = "12.5 million characters ".repeat(520_834);
    await expect(bert.encodePairs([{ first: "a", second: text }], { maxLength: 50 })).rejects.toMatchObject({
      code: "TEXT_TOO_LONG",
      detail: { received: expect.stringMatching(/^12500016 characters, beginning with "12.5 million/) as string },
    });
  });

  test("empty texts have a window too", async () => {
    const [[empty], [noContext]] = await bert.encodePairs(
      [
        { first: "", second: "" },
        { first: "who", second: "" },
      ],
      { maxLength: 8, stride: 2 },
    );
    expect(empty.ids).toEqual([2, 3, 3]);
    expect(noContext.ids).toEqual([2, 5, 3, 3]);
  });

  for (const [name, options] of Object.entries({
    "a window of nothing": { maxLength: 4 },
    "a stride as long as the window": { maxLength: 10, stride: 7 },
    "a negative stride": { maxLength: 10, stride: -1 },
    "half a token": { maxLength: 10.5 },
  })) {
    test(`${name} is a clear error`, async () => {
      await expect(bert.encodePairs([{ first: "a", second: "b" }], options)).rejects.toMatchObject({ code: "TOKENIZER_WINDOW" });
    });
  }
});

describe("folders that cannot be read", () => {
  const cases: [string, Record<string, string>, string][] = [
    ["no tokenizer", {}, "TOKENIZER_MISSING"],
    ["merges alone", { "merges.txt": "", "vocab.json": "{}" }, "TOKENIZER_MISSING"],
    ["a file that is not JSON", { "tokenizer.json": "{" }, "TOKENIZER_CORRUPT"],
    ["a file that is not a tokenizer", { "tokenizer.json": '{"model": {"type": "None"}}' }, "TOKENIZER_CORRUPT"],
    ["a list", { "tokenizer.json": "[]" }, "TOKENIZER_CORRUPT"],
    [
      "a broken config",
      { "tokenizer.json": JSON.stringify(robertaDefinition()), "tokenizer_config.json": "nonsense" },
      "TOKENIZER_CORRUPT",
    ],
    ["a vocabulary without special tokens", { "vocab.txt": "a\nb" }, "TOKENIZER_CORRUPT"],
  ];
  for (const [name, files, code] of cases) {
    test(name, async () => {
      await expect(Tokenizer.fromFolder(await folderWith(files))).rejects.toMatchObject({ name: "LecternError", code });
    });
  }

  test("no folder", async () => {
    await expect(Tokenizer.fromFolder(path.join(root, "nowhere"))).rejects.toMatchObject({ code: "FILE_MISSING" });
  });

  test("any text in place of tokenizer.json is an error that names the file", async () => {
    const folder = await folderWith({});
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        await writeFile(path.join(folder, "tokenizer.json"), text);
        await expect(Tokenizer.fromFolder(folder)).rejects.toMatchObject({ code: "TOKENIZER_CORRUPT" });
      }),
      { numRuns: 50 },
    );
  });
});

const minilm = path.resolve("starter/minilm-l6");
const squad = path.resolve("../shared/data/squad-v1.1-train.json");

describe("the bundled model's tokenizer", () => {
  test("reads its folder", async () => {
    const tokenizer = await Tokenizer.fromFolder(minilm);
    expect([tokenizer.vocabularySize, tokenizer.maxLength, tokenizer.padId, tokenizer.clsId, tokenizer.sepId]).toEqual([
      30522, 512, 0, 101, 102,
    ]);
    expect((await tokenizer.encode("Hello, world!")).ids).toEqual([101, 7592, 1010, 2088, 999, 102]);
    expect(tokenizer.files.map((file) => file.name)).toEqual(["tokenizer.json", "tokenizer_config.json", "vocab.txt"]);
  });

  test("built from its vocab.txt alone is the same tokenizer", async () => {
    const whole = await Tokenizer.fromFolder(minilm);
    const vocabulary = await readFile(path.join(minilm, "vocab.txt"), "utf8");
    const built = await Tokenizer.fromFolder(await folderWith({ "vocab.txt": vocabulary }));
    const pairs = [{ first: "Wér wrote «Łódź»?", second: "The 漢字 naïve coöperation—e\u0301 it's 3.14 😀 unaffable\u0000x" }];
    expect(await built.encodePairs(pairs, { maxLength: 64 })).toEqual(await whole.encodePairs(pairs, { maxLength: 64 }));
  });

  test.skipIf(!existsSync(squad))(
    "tokenises 6,227 pairs in a few seconds, leaving the event loop free (needs ../shared/data)",
    async () => {
      const { data } = JSON.parse(await readFile(squad, "utf8")) as {
        data: { paragraphs: { context: string; qas: { question: string }[] }[] }[];
      };
      const pairs = data.flatMap(({ paragraphs }) =>
        paragraphs.flatMap(({ context, qas }) => qas.map(({ question }) => ({ first: question, second: context }))),
      );
      const tokenizer = await Tokenizer.fromFolder(minilm);
      let turns = 0;
      const timer = setInterval(() => turns++, 5);
      const start = performance.now();
      const windows = await tokenizer.encodePairs(pairs, { maxLength: 384, stride: 128 });
      const seconds = (performance.now() - start) / 1000;
      clearInterval(timer);
      expect(windows).toHaveLength(pairs.length);
      expect(seconds).toBeLessThan(5);
      expect(turns).toBeGreaterThan(5);
    },
  );
});

const python = process.env["LECTERN_PEER_PYTHON"];
test.skipIf(!python || !existsSync(squad))("windows are those of transformers (needs LECTERN_PEER_PYTHON and ../shared/data)", async () => {
  const program = `
import json, sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
data = json.load(open(sys.argv[2]))["data"]
pairs = [(q["question"], p["context"]) for a in data for p in a["paragraphs"] for q in p["qas"]][::60]
pairs += [("who 😀 is", "the 👩‍👩‍👧 漢字 café שלום\\r\\n  x " * 40)]
windows = []
for question, context in pairs:
    e = tokenizer(question, context, truncation="only_second", max_length=128, stride=50, return_overflowing_tokens=True, return_offsets_mapping=True)
    texts = [[[question, context][s][a:b] for (a, b), s in zip(o, e.sequence_ids(i)) if s is not None] for i, o in enumerate(e["offset_mapping"])]
    windows.append([{"ids": a, "typeIds": b, "texts": c} for a, b, c in zip(e["input_ids"], e["token_type_ids"], texts)])
print(json.dumps({"pairs": pairs, "windows": windows}))`;
  const child = spawnSync(python!, ["-c", program, minilm, squad], { encoding: "utf8", maxBuffer: 1 << 28 });
  const { pairs, windows } = JSON.parse(child.stdout) as {
    pairs: [string, string][];
    windows: { ids: number[]; typeIds: number[]; texts: string[] }[][];
  };
  const tokenizer = await Tokenizer.fromFolder(minilm);
  const ours = await tokenizer.encodePairs(
    pairs.map(([first, second]) => ({ first, second })),
    { maxLength: 128, stride: 50 },
  );
  const comparable = ours.map((list, i) =>
    list.map((window) => ({
      ids: window.ids,
      typeIds: window.typeIds,
      texts: [...pieces(window, pairs[i][0], 0), ...pieces(window, pairs[i][1], 1)],
    })),
  );
  expect(windows.length).toBeGreaterThan(100);
  expect(comparable).toEqual(windows);
});
