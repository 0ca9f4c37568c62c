/**
 * A tokenizer.json from DeBERTa's spm.model, for folders that have no other: microsoft/deberta-v3-base is one. The same as transformers'
 * DebertaV2Converter makes (convert_slow_tokenizer.py), by which published tokenizer.json files of these models came to be.
 */
import type { SentencePieceModel } from "./sentencepiece-model.js";

/** Names of the special tokens, as tokenizer_config.json has them or DeBERTa's usual ones. */
export type SpecialTokenNames = Readonly<Record<"cls_token" | "sep_token" | "unk_token" | "pad_token" | "mask_token", string>>;

export interface DefinitionOptions {
  readonly names: SpecialTokenNames;
  /** `do_lower_case` of tokenizer_config.json. */
  readonly lowercase: boolean;
  /** `split_by_punct` of tokenizer_config.json. */
  readonly splitPunctuation: boolean;
}

/**
 * The content of tokenizer.json. Special tokens that the model has no piece for ([MASK]) get the ids behind its pieces.
 * @throws Error where the model's algorithm is not Unigram
 */
export function sentencePieceDefinition(model: SentencePieceModel, options: DefinitionOptions): Record<string, unknown> {
  const { names, lowercase, splitPunctuation } = options;
  if (model.algorithm !== "unigram") throw new Error(`a model of the algorithm ${model.algorithm}`);
  const added = new Map<string, { id: number; special: boolean }>();
  model.pieces.forEach(({ text, kind }, id) => {
    if (kind === "control" || kind === "user defined") added.set(text, { id, special: kind === "control" });
  });
  const idOf = new Map(model.pieces.map(({ text }, id) => [text, id]));
  let next = model.pieces.length;
  for (const role of ["cls_token", "sep_token", "unk_token", "pad_token", "mask_token"] as const) {
    const id = idOf.get(names[role]) ?? next++;
    idOf.set(names[role], id);
    added.set(names[role], { id, special: true });
  }
  const { cls_token: cls, sep_token: sep, unk_token: unknown } = names;
  const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const sequence = (id: "A" | "B", type_id: number) => ({ Sequence: { id, type_id } });
  const single = [special(cls, 0), sequence("A", 0), special(sep, 0)];
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [...added]
      .sort(([, a], [, b]) => a.id - b.id)
      .map(([content, { id, special }]) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: content === unknown,
        special,
      })),
    normalizer: {
      type: "Sequence",
      normalizers: [
        ...(lowercase ? [{ type: "Lowercase" }] : []),
        { type: "Strip", strip_left: true, strip_right: true },
        ...(model.charsmap.length > 0
          ? [{ type: "Precompiled", precompiled_charsmap: Buffer.from(model.charsmap).toString("base64") }]
          : []),
        { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [...(splitPunctuation ? [{ type: "Punctuation", behavior: "Isolated" }] : []), metaspace],
    },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, sequence("B", 1), special(sep, 1)],
      special_tokens: Object.fromEntries([cls, sep].map((id) => [id, { id, ids: [idOf.get(id)], tokens: [id] }])),
    },
    decoder: metaspace,
    model: { type: "Unigram", unk_id: model.unknownId, vocab: model.pieces.map(({ text, score }) => [text, score]), byte_fallback: false },
  };
}
