/**
 * Which tokenizers a vocabulary alone stands for. A vocab.txt says which pieces there are, not how a text is cut into words and these into
 * pieces: that is in the class that transformers has for it. BertTokenizer's way is built in; BertJapaneseTokenizer (words by MeCab),
 * BertweetTokenizer and PhobertTokenizer (merges in another file), EsmTokenizer and MPNetTokenizer (other special tokens) have a vocab.txt as well.
 */
import { LecternError } from "../errors.js";

/** The classes that make the same tokens of the file as the one named here; each has a …Fast beside it. */
const sameAs = {
  "vocab.txt": [
    "BertTokenizer",
    "ConvBertTokenizer",
    "DistilBertTokenizer",
    "DPRContextEncoderTokenizer",
    "DPRQuestionEncoderTokenizer",
    "DPRReaderTokenizer",
    "ElectraTokenizer",
    "LayoutLMTokenizer",
    "LxmertTokenizer",
    "MobileBertTokenizer",
    "RetriBertTokenizer",
    "SqueezeBertTokenizer",
  ],
  "spm.model": ["DebertaV2Tokenizer"],
} as const;

/** The JSON objects that may name a tokenizer's class, by their files, in the order in which they are believed. */
export type NamingFiles = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

/**
 * Refuses a class for which the file is not enough.
 * @throws LecternError TOKENIZER_MISSING
 */
export function checkTokenizerClass(folder: string, file: keyof typeof sameAs, namings: NamingFiles): void {
  const { name, where } = namedClass(namings) ?? {};
  const known: readonly string[] = sameAs[file];
  if (name === undefined || known.includes(name.replace(/Fast$/, ""))) return;
  throw new LecternError("TOKENIZER_MISSING", {
    message: `${folder} has no tokenizer that can be read: of a ${name}, ${file} alone does not say how a text is cut.`,
    expected: `tokenizer.json, or the ${file} of a ${known[0]}`,
    received: where,
    next:
      "Add the model's tokenizer.json: transformers writes it for classes that have a fast form (AutoTokenizer.from_pretrained(…).save_pretrained(…)). " +
      "Classes that cut words by a program of their own, as BertJapaneseTokenizer does by MeCab, have none: take a model with a tokenizer.json.",
  });
}

function namedClass(namings: NamingFiles): { name: string; where: string } | undefined {
  for (const [file, content = {}] of Object.entries(namings)) {
    const { tokenizer_class: name, auto_map: ownCode, word_tokenizer_type: words } = content;
    const own = typeof ownCode === "object" && ownCode !== null ? [(ownCode as Record<string, unknown>)["AutoTokenizer"]].flat(2) : [];
    const ownName = own.find((each) => typeof each === "string");
    if (ownName !== undefined) return { name: String(ownName), where: `auto_map of AutoTokenizer in ${file}` };
    if (typeof name === "string") return { name, where: `tokenizer_class ${JSON.stringify(name)} in ${file}` };
    // models from before tokenizer_class was written
    if (typeof words === "string" && words !== "basic") return { name: "BertJapaneseTokenizer", where: `word_tokenizer_type ${JSON.stringify(words)} in ${file}` };
  }
  return undefined;
}
