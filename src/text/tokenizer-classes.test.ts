import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Tokenizer } from "./tokenizer.js";

let root: string;
beforeAll(async () => void (root = await mkdtemp(path.join(tmpdir(), "tokenizer-classes-"))));
afterAll(() => rm(root, { recursive: true }));

/** A folder with a vocabulary and what is said of its class. */
async function folderWith(says: Record<string, object>, file: "vocab.txt" | "spm.model" = "vocab.txt"): Promise<string> {
  const folder = await mkdtemp(path.join(root, "model-"));
  for (const [name, content] of Object.entries(says)) await writeFile(path.join(folder, name), JSON.stringify(content));
  if (file === "vocab.txt") await writeFile(path.join(folder, file), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "理"].join("\n"));
  else await copyFile(path.join(import.meta.dirname, "../../test/sentencepiece/spm.model"), path.join(folder, file));
  return folder;
}

const tokenizerConfig = (content: object) => ({ "tokenizer_config.json": content });
const config = (content: object) => ({ "config.json": content });

describe("a vocab.txt of another class than BERT's is refused by the class's name", () => {
  test.each([
    ["BertJapaneseTokenizer", tokenizerConfig({ tokenizer_class: "BertJapaneseTokenizer" })],
    ["BertJapaneseTokenizer", { ...tokenizerConfig({ do_lower_case: false }), ...config({ tokenizer_class: "BertJapaneseTokenizer", model_type: "bert" }) }],
    ["BertJapaneseTokenizer", tokenizerConfig({ word_tokenizer_type: "mecab", subword_tokenizer_type: "wordpiece" })],
    ["BertweetTokenizer", config({ tokenizer_class: "BertweetTokenizer" })],
    ["PhobertTokenizer", tokenizerConfig({ tokenizer_class: "PhobertTokenizer" })],
    ["EsmTokenizer", tokenizerConfig({ tokenizer_class: "EsmTokenizer" })],
    ["MPNetTokenizerFast", tokenizerConfig({ tokenizer_class: "MPNetTokenizerFast" })],
    ["tokenization_own.OwnTokenizer", tokenizerConfig({ tokenizer_class: "BertTokenizer", auto_map: { AutoTokenizer: ["tokenization_own.OwnTokenizer", null] } })],
    ["toString", tokenizerConfig({ tokenizer_class: "toString" })],
  ])("%s", async (name, says) => {
    const opened = Tokenizer.fromFolder(await folderWith(says));
    await expect(opened).rejects.toMatchObject({ name: "LecternError", code: "TOKENIZER_MISSING" });
    await expect(opened).rejects.toThrow(`of a ${name}, vocab.txt alone does not say how a text is cut`);
  });
});

describe("one whose class cuts as BERT's does, or is not named, is read", () => {
  test.each([
    [{}],
    [config({ model_type: "bert" })],
    [tokenizerConfig({ tokenizer_class: "BertTokenizerFast" })],
    [{ ...tokenizerConfig({ tokenizer_class: "DistilBertTokenizer" }), ...config({ tokenizer_class: "BertJapaneseTokenizer" }) }],
    [tokenizerConfig({ tokenizer_class: "ElectraTokenizer" })],
    [config({ auto_map: { AutoModel: "modeling_own.OwnModel" } })],
  ])("%j", async (says) => {
    expect((await (await Tokenizer.fromFolder(await folderWith(says))).encode("the 理")).ids).toEqual([2, 4, 5, 3]);
  });
});

test("an spm.model is read as DeBERTa's where it is one", async () => {
  for (const says of [{}, tokenizerConfig({ tokenizer_class: "DebertaV2TokenizerFast" })]) {
    expect((await Tokenizer.fromFolder(await folderWith(says, "spm.model"))).clsId).toBe(1);
  }
  const opened = Tokenizer.fromFolder(await folderWith(tokenizerConfig({ tokenizer_class: "T5Tokenizer" }), "spm.model"));
  await expect(opened).rejects.toThrow("of a T5Tokenizer, spm.model alone does not say how a text is cut");
});
