/**
 * The files of a tokenizer in a model folder: tokenizer.json holds all of it; tokenizer_config.json and the older special_tokens_map.json
 * say which tokens play which part; BERT folders from before tokenizer.json have a vocab.txt alone, DeBERTa folders
 * an spm.model, from which the same is built here (as transformers' BertTokenizerFast and DebertaV2Converter do).
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { LecternError } from "../errors.js";
import { readContainedBytes, readContainedText } from "../files/plain-file.js";
import { sentencePieceDefinition } from "./sentencepiece-definition.js";
import { parseSentencePieceModel } from "./sentencepiece-model.js";
import { checkTokenizerClass } from "./tokenizer-classes.js";

/** The parts that special tokens play, by their names in tokenizer_config.json. */
const roles = ["unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token"] as const;
export type SpecialTokenRole = (typeof roles)[number];

export interface TokenizerFiles {
  /** The content of tokenizer.json: read, or built from vocab.txt or spm.model. */
  definition: Record<string, unknown>;
  config: Record<string, unknown>;
  specialTokens: Partial<Record<SpecialTokenRole, string>>;
  /** The file that the definition is from. */
  source: string;
  /** The files that make up the tokenizer of a saved copy of the model. */
  files: TokenizerFile[];
}

/** A file to copy, or to write with this text. */
export type TokenizerFile = { readonly name: string } & ({ readonly path: string } | { readonly text: string });

/** The largest vocabularies there are, of 262,144 tokens with their merges, take 33 MB. */
const longestFile = 64 * 2 ** 20;

const copied = ["tokenizer.json", "tokenizer_config.json", "vocab.txt", "spm.model", "vocab.json", "merges.txt", "chat_template.jinja"];

/** @throws LecternError FILE_MISSING, TOKENIZER_MISSING, TOKENIZER_CORRUPT */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  if (!existsSync(folder)) {
    throw new LecternError("FILE_MISSING", {
      message: `There is no model folder ${folder}.`,
      next: "Check the path, or give a name on the Hugging Face Hub as ORGANISATION/NAME.",
    });
  }
  const config = (await readObject(folder, "tokenizer_config.json")) ?? {};
  const map = (await readObject(folder, "special_tokens_map.json")) ?? {};
  const specialTokens: TokenizerFiles["specialTokens"] = {};
  for (const role of roles) specialTokens[role] = tokenContent(config[role]) ?? tokenContent(map[role]);
  // Transformers 5 writes all into tokenizer_config.json: the older map goes along only where it says more.
  const names = roles.some((role) => map[role] !== undefined && config[role] === undefined)
    ? [...copied, "special_tokens_map.json"]
    : copied;
  const files = names.map((name) => ({ name, path: path.join(folder, name) })).filter((file) => existsSync(file.path));
  const found = { config, specialTokens, files };
  const definition = await readObject(folder, "tokenizer.json");
  if (definition !== undefined) {
    return { ...found, definition, source: path.join(folder, "tokenizer.json") };
  }
  const namings = { "tokenizer_config.json": config, "config.json": await readObject(folder, "config.json") };
  const model = path.join(folder, "spm.model");
  if (existsSync(model)) {
    checkTokenizerClass(folder, "spm.model", namings);
    const made = definitionFromSentencePiece(folder, config, specialTokens);
    // transformers.js and others look for tokenizer.json: the copy has one.
    return { ...found, definition: made, source: model, files: [{ name: "tokenizer.json", text: JSON.stringify(made) }, ...files] };
  }
  const vocabulary = path.join(folder, "vocab.txt");
  if (!existsSync(vocabulary)) throw tokenizerMissing(folder);
  checkTokenizerClass(folder, "vocab.txt", namings);
  return { ...found, definition: await definitionFromVocabulary(folder, config, specialTokens), source: vocabulary };
}

function definitionFromSentencePiece(
  folder: string,
  config: Record<string, unknown>,
  specialTokens: TokenizerFiles["specialTokens"],
): Record<string, unknown> {
  const bytes = readContainedBytes(folder, "spm.model", { what: "the SentencePiece model of a tokenizer", limit: longestFile });
  try {
    return sentencePieceDefinition(parseSentencePieceModel(bytes), {
      names: usualNames(specialTokens),
      lowercase: config["do_lower_case"] === true,
      splitPunctuation: config["split_by_punct"] === true,
    });
  } catch (error) {
    throw new LecternError("TOKENIZER_CORRUPT", {
      message: `${path.join(folder, "spm.model")} is not a tokenizer that can be read.`,
      expected: "a SentencePiece model of the Unigram algorithm",
      received: error instanceof Error ? error.message : String(error),
      next: "Copy or download the file again, or add the tokenizer.json of the model to its folder.",
    });
  }
}

/** The names of special tokens in models of BERT's kind, where no file says others. */
function usualNames(specialTokens: TokenizerFiles["specialTokens"]): Record<keyof typeof usual, string> {
  return Object.fromEntries(Object.entries(usual).map(([role, name]) => [role, specialTokens[role as SpecialTokenRole] ?? name])) as Record<
    keyof typeof usual,
    string
  >;
}
const usual = { unk_token: "[UNK]", sep_token: "[SEP]", pad_token: "[PAD]", cls_token: "[CLS]", mask_token: "[MASK]" } as const;

/** A token in a config: its text, or an object with its text as `content`. */
function tokenContent(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return isObject(value) && typeof value["content"] === "string" ? value["content"] : undefined;
}

async function definitionFromVocabulary(
  folder: string,
  config: Record<string, unknown>,
  specialTokens: TokenizerFiles["specialTokens"],
): Promise<Record<string, unknown>> {
  const file = path.join(folder, "vocab.txt");
  const lines = readContainedText(folder, "vocab.txt", { what: "the vocabulary of a tokenizer", limit: longestFile }).split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const vocabulary = new Map(lines.map((token, id) => [token, id]));
  const added = Object.entries((await readObject(folder, "added_tokens.json")) ?? {});
  for (const [token, id] of added) if (typeof id === "number") vocabulary.set(token, id);

  const names = usualNames(specialTokens);
  for (const role of ["unk_token", "sep_token", "cls_token"] as const) {
    if (!vocabulary.has(names[role])) {
      throw new LecternError("TOKENIZER_CORRUPT", {
        message: `${file} is not the vocabulary of a BERT tokenizer: it has no ${names[role]}.`,
        expected: "one word piece a line, with [UNK], [SEP], [CLS] and [PAD] among them",
        received: `${lines.length} lines`,
        next: "Add the tokenizer.json of the model to its folder.",
      });
    }
  }
  return bertDefinition(vocabulary, names, config);
}

function bertDefinition(
  vocabulary: Map<string, number>,
  names: Record<"unk_token" | "sep_token" | "pad_token" | "cls_token" | "mask_token", string>,
  config: Record<string, unknown>,
): Record<string, unknown> {
  const special = Object.values(names).filter((token) => vocabulary.has(token));
  const template = (token: string, type: number): unknown => ({ SpecialToken: { id: token, type_id: type } });
  const sequence = (id: "A" | "B", type: number): unknown => ({ Sequence: { id, type_id: type } });
  const { cls_token: cls, sep_token: sep } = names;
  const single = [template(cls, 0), sequence("A", 0), template(sep, 0)];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({
      id: vocabulary.get(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: config["tokenize_chinese_chars"] ?? true,
      strip_accents: config["strip_accents"] ?? null,
      lowercase: config["do_lower_case"] ?? true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, sequence("B", 1), template(sep, 1)],
      special_tokens: Object.fromEntries([cls, sep].map((id) => [id, { id, ids: [vocabulary.get(id)], tokens: [id] }])),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: names.unk_token,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary),
    },
  };
}

function tokenizerMissing(folder: string): LecternError {
  const byteLevel = existsSync(path.join(folder, "merges.txt"));
  const sentencePiece = ["spiece.model", "tokenizer.model", "sentencepiece.bpe.model"].find((name) => existsSync(path.join(folder, name)));
  return new LecternError("TOKENIZER_MISSING", {
    message: `${folder} has no tokenizer.`,
    expected: "tokenizer.json (or, of a BERT model, vocab.txt, of a DeBERTa model, spm.model)",
    received: byteLevel ? "vocab.json and merges.txt alone" : sentencePiece,
    next: "Copy tokenizer.json and tokenizer_config.json of the model into the folder; most models on the Hugging Face Hub have both.",
  });
}

async function readObject(folder: string, name: string): Promise<Record<string, unknown> | undefined> {
  const file = path.join(folder, name);
  if (!existsSync(file)) return undefined;
  const text = readContainedText(folder, name, { what: "a tokenizer's file", limit: longestFile });
  let received = text.slice(0, 60);
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    received = error instanceof Error ? error.message : received;
  }
  throw tokenizerCorrupt(file, received);
}

export function tokenizerCorrupt(file: string, received: string): LecternError {
  return new LecternError("TOKENIZER_CORRUPT", {
    message: `${file} is not a valid tokenizer file.`,
    expected: "the JSON that the tokenizers library writes",
    received,
    next: "Copy or download the file again.",
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
