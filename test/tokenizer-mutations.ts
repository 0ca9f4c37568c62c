/**
 * A process that opens tokenizers with something in them changed, each of which must work or be an error of ours. The library is native and
 * ends the process where it fails: that this one lives to print "all N" is the result. Arguments: a folder to work in, a seed, how many.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomGenerator } from "../src/engine/random.js";
import { LecternError } from "../src/errors.js";
import { Tokenizer } from "../src/text/tokenizer.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const [folder, seed, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const random = randomGenerator(seed);
const pick = <T>(values: readonly T[]): T => values[Math.floor(random.uniform() * values.length)];

const special = (content: string, id: number): Json => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true });
const template: Json = {
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: "[CLS]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  pair: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "[CLS]", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: { "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] } },
};
const charsmap = (units: number[], texts: string): string => {
  const bytes = Buffer.alloc(4 + 4 * units.length + Buffer.byteLength(texts));
  bytes.writeUInt32LE(4 * units.length);
  units.forEach((unit, at) => bytes.writeUInt32LE(unit, 4 + 4 * at));
  bytes.write(texts, 4 + 4 * units.length);
  return bytes.toString("base64");
};
const byteLevel: Json = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };

/** One of each kind of component that published tokenizers have. */
const bases: Json[] = [
  {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [special("[PAD]", 0), special("[UNK]", 1), special("[CLS]", 2)],
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, { type: "BertPreTokenizer" }] },
    post_processor: template,
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab: { "[PAD]": 0, "[UNK]": 1, "[CLS]": 2, a: 3, "##b": 4 } },
  },
  {
    version: "1.0",
    added_tokens: [special("<s>", 0)],
    normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }, { type: "Prepend", prepend: "▁" }] },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Split", pattern: { Regex: "\\s+(?!\\S)|\\p{L}+" }, behavior: "Isolated", invert: false }, byteLevel] },
    post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0], trim_offsets: true, add_prefix_space: false },
    decoder: { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Strip", content: " ", start: 1, stop: 0 }, { type: "Fuse" }] },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: { "<s>": 0, a: 1, "</s>": 2, b: 3, ab: 4 },
      merges: ["a b"],
    },
  },
  {
    version: "1.0",
    added_tokens: [],
    normalizer: { type: "Sequence", normalizers: [{ type: "Precompiled", precompiled_charsmap: charsmap(new Array<number>(256).fill(0x80000000).fill(0, 0, 1), "a\0") }, { type: "NFKC" }] },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    post_processor: { type: "Sequence", processors: [byteLevel, template] },
    decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    model: { type: "Unigram", unk_id: 0, vocab: [["<unk>", 0], ["a", -1.5], ["▁b", -2]], byte_fallback: false },
  },
];

const constants: Json[] = [null, true, 0, 1, -1, 0.5, 2 ** 31, 2 ** 32 - 1, 2 ** 53, 1e300, "", "a", "##", "\u{1f600}", "[CLS]", "(a|b*)+", [], {}, [["a", "b"]]];

/** Where values stand: a list or object, and the key in it. */
function places(value: Json): { owner: Record<string, Json>; key: string }[] {
  if (typeof value !== "object" || value === null) return [];
  const owner = value as Record<string, Json>;
  return Object.keys(owner).flatMap((key) => [{ owner, key }, ...places(owner[key])]);
}

function mutated(): Json {
  const definition = structuredClone(pick(bases));
  for (let change = Math.floor(random.uniform() ** 2 * 3); change >= 0; change--) {
    const { owner, key } = pick(places(definition));
    const other = pick(places(pick(bases)));
    if (random.uniform() < 0.2) delete owner[key];
    else owner[key] = structuredClone(random.uniform() < 0.5 ? pick(constants) : other.owner[other.key]);
  }
  return definition;
}

mkdirSync(folder, { recursive: true });
const endings = new Map<string, number>();
for (let run = 0; run < count; run++) {
  const definition = JSON.stringify(mutated());
  writeFileSync(join(folder, "tokenizer.json"), definition);
  let ending = "worked";
  try {
    const tokenizer = await Tokenizer.fromFolder(folder);
    const [[window]] = await tokenizer.encodePairs([{ first: "ab a  ", second: "a bb \u{1f600} e\u0301" }], { maxLength: 64 });
    await tokenizer.decode(window.ids);
  } catch (error) {
    if (!(error instanceof LecternError)) throw error;
    ending = error.code;
  }
  endings.set(ending, (endings.get(ending) ?? 0) + 1);
}
console.log(`all ${count}: ${JSON.stringify(Object.fromEntries(endings))}`);
