/** DeBERTa's spm.model against the tokenizer.json that transformers makes of it (reference/make_sentencepiece_goldens.py). */
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { charsmapProblem } from "./charsmap-hazards.js";
import { sentencePieceDefinition } from "./sentencepiece-definition.js";
import { parseSentencePieceModel } from "./sentencepiece-model.js";
import { Tokenizer } from "./tokenizer.js";

const folder = path.join(import.meta.dirname, "../../test/sentencepiece");
const bytes = readFileSync(path.join(folder, "spm.model"));
const readJson = (name: string): unknown => JSON.parse(readFileSync(path.join(folder, name), "utf8"));
interface Goldens {
  readonly texts: readonly { text: string; ids: number[]; tokens: string[]; offsets: [number, number][] }[];
  readonly pair: { readonly ids: number[]; readonly type_ids: number[] };
}
const { texts, pair } = readJson("goldens.json") as Goldens;
const names = { cls_token: "[CLS]", sep_token: "[SEP]", unk_token: "[UNK]", pad_token: "[PAD]", mask_token: "[MASK]" };

let root: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "sentencepiece-"));
  tokenizer = await Tokenizer.fromFolder(await folderWith({}));
});
afterAll(() => rm(root, { recursive: true }));

async function folderWith(files: Record<string, string | Uint8Array>): Promise<string> {
  const made = await mkdtemp(path.join(root, "model-"));
  await copyFile(path.join(folder, "spm.model"), path.join(made, "spm.model"));
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(made, name), content);
  return made;
}

/** JSON whose numbers are float32: transformers' own copy of a definition has lost their last binary place. */
const inFloat32 = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_, part: unknown) => (typeof part === "number" ? Math.fround(part) : part));

describe("the definition", () => {
  test("is the one that transformers makes", () => {
    const made = sentencePieceDefinition(parseSentencePieceModel(bytes), { names, lowercase: false, splitPunctuation: false });
    expect(inFloat32(made)).toEqual(inFloat32(readJson("tokenizer.json")));
  });

  test("follows tokenizer_config.json", async () => {
    const lower = await Tokenizer.fromFolder(
      await folderWith({ "tokenizer_config.json": '{"do_lower_case": true, "split_by_punct": true}' }),
    );
    expect((await lower.encode("The END")).ids).toEqual((await tokenizer.encode("the end")).ids);
    const split = await lower.encode("a,b", { addSpecialTokens: false });
    expect(split.offsets).toContainEqual([1, 2]);
  });
});

describe("the tokenizer", () => {
  test.each(texts)("gives transformers' tokens of $text", async ({ text, ids, offsets }) => {
    const encoding = await tokenizer.encode(text, { addSpecialTokens: false });
    expect(encoding.ids).toEqual(ids);
    // the same places in code units, without the white space at their ends
    const characters = [...text];
    const stretches = offsets.map(([start, end]) => characters.slice(start, end).join(""));
    expect(encoding.offsets.map(([start, end]) => text.slice(start, end))).toEqual(stretches.map((stretch) => stretch.trim()));
    encoding.offsets.forEach(([start], at) => {
      const leading = stretches[at].length - stretches[at].trimStart().length;
      expect(start).toBe(characters.slice(0, offsets[at][0]).join("").length + leading);
    });
  });

  test("puts [CLS] first [SEP] second [SEP] with their token types, and adds [MASK]", async () => {
    const [[window]] = await tokenizer.encodePairs([{ first: texts[0].text, second: texts[1].text }], { maxLength: 100 });
    expect([window.ids, window.typeIds]).toEqual([pair.ids, pair.type_ids]);
    const pieces = parseSentencePieceModel(bytes).pieces.length;
    expect([tokenizer.padId, tokenizer.clsId, tokenizer.sepId, tokenizer.vocabularySize]).toEqual([0, 1, 2, pieces + 1]);
    expect((await tokenizer.encode("[MASK]", { addSpecialTokens: false })).ids).toContain(pieces);
    expect(await tokenizer.decode(window.ids, { skipSpecialTokens: true })).toBe("Who wrote it leading, doubled and trailing");
  });

  test("goes into a saved model with a tokenizer.json that gives the same tokens", async () => {
    expect(tokenizer.files.map(({ name }) => name)).toEqual(["tokenizer.json", "spm.model"]);
    const [made] = tokenizer.files;
    const copy = await mkdtemp(path.join(root, "copy-"));
    await writeFile(path.join(copy, "tokenizer.json"), "text" in made ? made.text : "");
    const again = await Tokenizer.fromFolder(copy);
    for (const { text } of texts) expect(await again.encode(text)).toEqual(await tokenizer.encode(text));
    expect(again.files.map(({ name }) => name)).toEqual(["tokenizer.json"]);
  });

  test("no place of a token begins or ends with white space, in any window", async () => {
    const unit = fc.constantFrom(..."the book\u00a0\u3000\r\n\t  é😀漢-,ﬁ");
    await fc.assert(
      fc.asyncProperty(fc.string({ unit, maxLength: 80 }), fc.integer({ min: 8, max: 30 }), async (second, maxLength) => {
        const [windows] = await tokenizer.encodePairs([{ first: "a", second }], { maxLength, stride: 1 });
        let last = 0;
        for (const { offsets, sequenceIds } of windows) {
          for (const [at, [start, end]] of offsets.entries()) {
            if (sequenceIds[at] !== 1) continue;
            expect(second.slice(start, end)).not.toMatch(/^\s|\s$/);
            expect(start).toBeLessThanOrEqual(end);
          }
          last = Math.max(last, ...offsets.map(([, end]) => end));
        }
        expect(second.slice(last).trim()).toBe("");
      }),
      { numRuns: 200 },
    );
  });
});

describe("a file that is no such model", () => {
  const message = (write: (writer: BinaryWriter) => BinaryWriter) => write(new BinaryWriter()).finish();
  const piece = (text: string, score = 0) => message((writer) => writer.tag(1, 2).string(text).tag(2, 5).float(score));
  const model = (algorithm: number, ...pieces: Uint8Array[]) =>
    message((writer) => {
      for (const bytes of pieces) writer.tag(1, 2).bytes(bytes);
      return writer.tag(2, 2).bytes(message((trainer) => trainer.tag(3, 0).int32(algorithm)));
    });

  test.each([
    ["is empty", new Uint8Array(), "no pieces"],
    ["is cut off", bytes.subarray(0, 5000), "premature EOF"],
    ["is of another algorithm", model(2, piece("a")), "a model of the algorithm bpe"],
    ["is of an algorithm that is not known", model(9, piece("a")), "algorithm 9"],
    ["has a score that is no number", model(1, piece("a", NaN)), 'the score NaN of "a"'],
    [
      "has no piece for the unknown",
      message((writer) =>
        writer
          .tag(1, 2)
          .bytes(piece("a"))
          .tag(2, 2)
          .bytes(message((t) => t.tag(40, 0).int32(7))),
      ),
      "UnkIdNotInVocabulary",
    ],
  ])("and %s is told", async (_, content, received) => {
    const broken = Tokenizer.fromFolder(await folderWith({ "spm.model": content }));
    await expect(broken).rejects.toMatchObject({ name: "LecternError", code: "TOKENIZER_CORRUPT" });
    await expect(broken).rejects.toThrow(`spm.model`);
    await expect(broken).rejects.toThrow(received);
  });

  test("whatever its bytes are", async () => {
    const made = await folderWith({});
    const damaged = fc.tuple(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([at, other]) => {
      const copy = Uint8Array.from(bytes);
      copy.set(other.subarray(0, copy.length - at), at);
      return copy;
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), async (content) => {
        await writeFile(path.join(made, "spm.model"), content);
        try {
          await Tokenizer.fromFolder(made);
        } catch (error) {
          expect(error).toMatchObject({ name: "LecternError", code: "TOKENIZER_CORRUPT" });
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe("a table of characters that would lead the library astray", () => {
  const { charsmap } = parseSentencePieceModel(bytes);
  const changed = (change: (view: DataView) => void) => {
    const copy = Uint8Array.from(charsmap);
    change(new DataView(copy.buffer));
    return copy;
  };
  const normalizer = (table: Uint8Array) => new BinaryWriter().tag(3, 2).bytes(new BinaryWriter().tag(2, 2).bytes(table).finish()).finish();
  const unit = 4 + 4 * 0xef; // the first byte of a full-width letter
  test.each([
    ["has no trie", new Uint8Array(4), "a charsmap whose trie is cut short"],
    ["ends before its trie does", charsmap.subarray(0, 500), "a charsmap whose trie is cut short"],
    ["has texts that are not UTF-8", changed((view) => view.setUint8(view.byteLength - 1, 0xff)), "texts are not UTF-8"],
    ["leads out of the trie", changed((view) => view.setUint32(unit, 0x7ffffc6f, true)), "leads out of it"],
    ["leads out of the trie from its root", changed((view) => view.setUint32(4, 0xfffffc00, true)), "leads out of it"],
  ])("which %s is told, in an spm.model's file or in tokenizer.json", async (_, table, received) => {
    const model = Buffer.concat([bytes, normalizer(table)]); // of a field that stands twice the last is taken
    const broken = Tokenizer.fromFolder(await folderWith({ "spm.model": model }));
    await expect(broken).rejects.toThrow(received);
    await expect(broken).rejects.toThrow("spm.model");
    const definition = readJson("tokenizer.json") as { normalizer: { normalizers: Record<string, unknown>[] } };
    definition.normalizer.normalizers[1].precompiled_charsmap = Buffer.from(table).toString("base64");
    const made = await folderWith({ "tokenizer.json": JSON.stringify(definition) });
    await expect(Tokenizer.fromFolder(made)).rejects.toThrow(received);
    await expect(Tokenizer.fromFolder(made)).rejects.toMatchObject({ code: "TOKENIZER_CORRUPT" });
  });

  test("is told where a value is outside the texts", () => {
    const told: string[] = [];
    for (let place = 0; place < 256; place++) {
      const table = changed((view) => {
        if (view.getUint32(4 + 4 * place, true) >>> 31 === 1) view.setUint32(4 + 4 * place, 0xffffffff, true);
      });
      const problem = charsmapProblem(Buffer.from(table).toString("base64"));
      if (problem !== undefined) told.push(problem);
    }
    expect(told.length).toBeGreaterThan(50);
    for (const problem of told) expect(problem).toContain("points out of its texts");
  });
});

test("a tokenizer.json wins over an spm.model", async () => {
  const made = await folderWith({ "tokenizer.json": await readFile("starter/minilm-l6/tokenizer.json") });
  expect((await Tokenizer.fromFolder(made)).files.map(({ name }) => name)).toEqual(["tokenizer.json", "spm.model"]);
});
