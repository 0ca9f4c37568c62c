/**
 * Text to tokens and back, by the official Rust tokenizers library; its `tokenizer.json` decides everything about the tokens themselves.
 * Added here: positions in JavaScript's code units, windows over long contexts, and each distinct text of a batch tokenised once, since in
 * reading-comprehension data the same context stands beside many questions.
 */
import { Tokenizer as RustTokenizer, type Encoding as RustEncoding } from "tokenizers";
import { LecternError } from "../errors.js";
import { codeUnitPositions } from "./code-points.js";
import { readTokenizerFiles, tokenizerCorrupt, type TokenizerFile, type TokenizerFiles } from "./tokenizer-files.js";
import { tokenizerHazard } from "./tokenizer-hazards.js";
import { withoutSpace } from "./white-space.js";
import { checkTextLength, checkWindow, cutIntoPieces, questionTooLong, tooManyTokens } from "./windows.js";

/** One window: the tokens that go through a model together. */
export interface Encoding {
  ids: number[];
  typeIds: number[];
  /** [start, end) in UTF-16 code units of the ORIGINAL string of that sequence; [0, 0] for special tokens. */
  offsets: [number, number][];
  /** null: a special token; 0: the first sequence (question); 1: the second (context). */
  sequenceIds: (0 | 1 | null)[];
  /** Which word of its sequence a token is part of, as the tokenizer cuts words; null for special tokens. Only where asked for. */
  wordIds?: (number | null)[];
}

export interface PairOptions {
  /** Tokens of a window, special ones included. */
  maxLength: number;
  /** Tokens by which neighbouring windows overlap. Undefined: one window, the rest of the context is dropped. */
  stride?: number;
  /** Tokens of the first sequence that are kept. Undefined: all, and one that leaves no room is an error. */
  maxFirstLength?: number;
  /** Tokens of all windows of all pairs together. Undefined: no limit. */
  maxTokens?: number;
  /** Say which word each token is part of. Default false. */
  words?: boolean;
}

interface Tokens {
  ids: number[];
  offsets: [number, number][];
  words?: (number | null)[];
}

/** Where a model wants its special tokens: before, between and after the two sequences. */
interface PairLayout {
  special: [before: Special[], between: Special[], after: Special[]];
  typeIds: [first: number, second: number];
}

interface Special {
  id: number;
  typeId: number;
}

/** Texts handed to the library at once: long enough to keep its threads busy, short enough that JavaScript gets its turn in between. */
const batchSize = 512;
/** Python writes 10^30 for "no limit". */
const longestSaneLength = 10_000_000;

export class Tokenizer {
  /** One more than the largest id. */
  readonly vocabularySize: number;
  /** The id that fills up a batch; where a model has none of its own, its end-of-text token, or 0. */
  readonly padId: number;
  readonly padTypeId: number;
  /** The id at the start of a sequence (of decoders: begin of text), −1 where there is none. */
  readonly clsId: number;
  /** The id at the end of a sequence, −1 where there is none. */
  readonly sepId: number;
  /** The longest input that the model takes, in tokens, where its folder says so. */
  readonly maxLength: number | undefined;
  /** The files of a folder that the model is saved in. */
  readonly files: TokenizerFile[];
  readonly #library: RustTokenizer;
  readonly #layout: PairLayout;

  private constructor(library: RustTokenizer, layout: PairLayout, source: TokenizerFiles) {
    const { config, definition, specialTokens } = source;
    const idOf = (...tokens: (string | undefined)[]): number | undefined =>
      tokens.flatMap((token) => (token === undefined ? [] : (library.tokenToId(token) ?? []))).at(0);
    const length = config["model_max_length"];
    const typeId = config["pad_token_type_id"] ?? (isObject(definition["padding"]) ? definition["padding"]["pad_type_id"] : 0);
    this.#library = library;
    this.#layout = layout;
    this.vocabularySize = largestId(library, definition) + 1;
    this.clsId = idOf(specialTokens.cls_token, specialTokens.bos_token, "[CLS]", "<s>") ?? -1;
    this.sepId = idOf(specialTokens.sep_token, specialTokens.eos_token, "[SEP]", "</s>") ?? -1;
    this.padId = idOf(specialTokens.pad_token, "[PAD]", "<pad>", specialTokens.eos_token) ?? Math.max(this.sepId, 0);
    this.padTypeId = typeof typeId === "number" ? typeId : 0;
    this.maxLength = typeof length === "number" && length > 0 && length < longestSaneLength ? length : undefined;
    this.files = source.files;
  }

  /**
   * The tokenizer of a model folder.
   * @throws LecternError FILE_MISSING, TOKENIZER_MISSING, TOKENIZER_CORRUPT
   * @example
   * const tokenizer = await Tokenizer.fromFolder("starter/minilm-l6");
   * const { ids } = await tokenizer.encode("Who wrote it?");
   */
  static async fromFolder(folder: string): Promise<Tokenizer> {
    const source = await readTokenizerFiles(folder);
    const hazard = tokenizerHazard(source.definition);
    if (hazard !== undefined) throw tokenizerCorrupt(source.source, hazard);
    let library: RustTokenizer;
    try {
      // Saved truncation and padding would apply to every call; how long a window is, the caller says.
      library = RustTokenizer.fromString(JSON.stringify({ ...withWholeOffsets(source.definition), truncation: null, padding: null }));
    } catch (error) {
      throw tokenizerCorrupt(source.source, error instanceof RangeError ? "JSON that is nested too deep" : error instanceof Error ? error.message : String(error));
    }
    return new Tokenizer(library, await findPairLayout(library), source);
  }

  /** Special tokens around and between the two sequences of a window. */
  get pairSpecialTokens(): number {
    return this.#layout.special.flat().length;
  }

  /**
   * The windows of each pair, without padding. Question and special tokens stand in every window of a pair; the context is cut.
   * @throws LecternError TOKENIZER_WINDOW when a window is too short, or a question leaves no room for its context; TEXT_TOO_LONG, TOO_MANY_TOKENS
   * @example
   * const [windows] = await tokenizer.encodePairs([{ first: question, second: context }], { maxLength: 384, stride: 128 });
   */
  async encodePairs(pairs: { first: string; second: string }[], options: PairOptions): Promise<Encoding[][]> {
    const { maxLength, stride, maxFirstLength, maxTokens = Infinity, words = false } = options;
    const specialTokens = this.pairSpecialTokens;
    checkWindow(maxLength, stride, specialTokens);
    const texts = new Set(pairs.flatMap(({ first, second }) => [first, second]));
    for (const text of texts) checkTextLength(text);
    const tokens = await this.#tokenise(texts, words);
    let total = 0;
    const cut = pairs.map((pair) => {
      const first = shortened(tokens.get(pair.first)!, { start: 0, end: maxFirstLength ?? Infinity });
      const second = tokens.get(pair.second)!;
      const room = maxLength - specialTokens - first.ids.length;
      if (room < Math.min(1, second.ids.length)) throw questionTooLong(pair.first, first.ids.length, maxLength, specialTokens);
      const pieces = cutIntoPieces(second.ids.length, room, stride);
      for (const { start, end } of pieces) total += specialTokens + first.ids.length + end - start;
      return { first, second, pieces };
    });
    if (total > maxTokens) throw tooManyTokens(total, maxTokens); // before the windows themselves take up memory
    return cut.map(({ first, second, pieces }) => pieces.map((piece) => assemble(this.#layout, first, shortened(second, piece))));
  }

  /** The tokens of one text, with the special tokens that the model wants around it unless told not to. */
  async encode(text: string, options: { addSpecialTokens?: boolean } = {}): Promise<Encoding> {
    const encoding = await told(this.#library.encode(text, null, { addSpecialTokens: options.addSpecialTokens ?? true }));
    return {
      ids: encoding.getIds(),
      typeIds: encoding.getTypeIds(),
      offsets: offsetsInCodeUnits(encoding, text),
      sequenceIds: encoding.getSpecialTokensMask().map((special) => (special ? null : 0)),
    };
  }

  /** The text of tokens, as the tokenizer's decoder joins them. Special tokens are part of it unless skipped. */
  async decode(ids: number[], options: { skipSpecialTokens?: boolean } = {}): Promise<string> {
    return told(this.#library.decode(ids, options.skipSpecialTokens ?? false));
  }

  /** Each text's tokens without special ones. The library works in threads of its own; JavaScript's gets its turn between batches. */
  async #tokenise(texts: Set<string>, words: boolean): Promise<Map<string, Tokens>> {
    const tokens = new Map<string, Tokens>();
    const list = [...texts];
    for (let start = 0; start < list.length; start += batchSize) {
      const batch = list.slice(start, start + batchSize);
      const encodings = await told(this.#library.encodeBatch(batch, { addSpecialTokens: false }));
      for (const [i, encoding] of encodings.entries()) {
        tokens.set(batch[i], {
          ids: encoding.getIds(),
          offsets: offsetsInCodeUnits(encoding, batch[i]),
          ...(words && { words: encoding.getWordIds().map((word) => word ?? null) }),
        });
      }
    }
    return tokens;
  }
}

/**
 * A definition whose post-processors leave places as they are. Byte-level ones cut as much off a token's place as the token begins with spaces
 * ("trim_offsets"), where some of these were put there by the pre-tokenizer and stand for no character: a word then misses its first letter.
 * White space is cut off by the text itself here (withoutSpace).
 */
function withWholeOffsets(definition: Record<string, unknown>): Record<string, unknown> {
  const untrimmed = (processor: unknown): unknown => {
    if (!isObject(processor)) return processor;
    const { processors } = processor;
    return {
      ...processor,
      ...("trim_offsets" in processor && { trim_offsets: false }),
      ...(Array.isArray(processors) && { processors: processors.map(untrimmed) }),
    };
  };
  return { ...definition, post_processor: untrimmed(definition["post_processor"]) };
}

/** What the library cannot do with a text is the fault of its file: an unknown token that is not in the vocabulary, for example. */
async function told<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw new LecternError("TOKENIZER_CORRUPT", {
      message: "The tokenizer cannot be used.",
      received: error instanceof Error ? error.message : String(error),
      next: "Copy or download tokenizer.json again.",
    });
  });
}

function offsetsInCodeUnits(encoding: RustEncoding, text: string): [number, number][] {
  const offsets = encoding.getOffsets() as [number, number][];
  const positions = codeUnitPositions(text);
  return offsets.map(([start, end]) => (positions ? withoutSpace(text, positions[start], positions[end]) : withoutSpace(text, start, end)));
}

function shortened({ ids, offsets, words }: Tokens, { start, end }: { start: number; end: number }): Tokens {
  return { ids: ids.slice(start, end), offsets: offsets.slice(start, end), ...(words && { words: words.slice(start, end) }) };
}

function assemble(layout: PairLayout, first: Tokens, second: Tokens): Encoding {
  const encoding: Encoding = { ids: [], typeIds: [], offsets: [], sequenceIds: [], ...(second.words && { wordIds: [] }) };
  const addSpecial = (tokens: Special[]): void => {
    for (const { id, typeId } of tokens) {
      encoding.ids.push(id);
      encoding.typeIds.push(typeId);
      encoding.offsets.push([0, 0]);
      encoding.sequenceIds.push(null);
      encoding.wordIds?.push(null);
    }
  };
  const addSequence = (tokens: Tokens, sequence: 0 | 1): void => {
    for (let i = 0; i < tokens.ids.length; i++) {
      encoding.ids.push(tokens.ids[i]);
      encoding.typeIds.push(layout.typeIds[sequence]);
      encoding.offsets.push(tokens.offsets[i]);
      encoding.sequenceIds.push(sequence);
      encoding.wordIds?.push(tokens.words?.[i] ?? null);
    }
  };
  addSpecial(layout.special[0]);
  addSequence(first, 0);
  addSpecial(layout.special[1]);
  addSequence(second, 1);
  addSpecial(layout.special[2]);
  return encoding;
}

/** Learns from one short pair where the tokenizer's own post-processing puts special tokens, whatever form it is written in. */
async function findPairLayout(library: RustTokenizer): Promise<PairLayout> {
  for (const probe of probeTexts(library)) {
    const encoding = await told(library.encode(probe, probe, { addSpecialTokens: true }));
    const sequences = encoding.getSequenceIds();
    const [first, second] = [sequences.indexOf(0), sequences.indexOf(1)];
    if (first < 0 || second < 0) continue; // this text has no tokens of its own
    const [ids, typeIds] = [encoding.getIds(), encoding.getTypeIds()];
    const special = (start: number, end: number): Special[] => ids.slice(start, end).map((id, i) => ({ id, typeId: typeIds[start + i] }));
    return {
      special: [special(0, first), special(sequences.lastIndexOf(0) + 1, second), special(sequences.lastIndexOf(1) + 1, ids.length)],
      typeIds: [typeIds[first], typeIds[second]],
    };
  }
  throw new LecternError("TOKENIZER_CORRUPT", {
    message: "The tokenizer makes no tokens from any text.",
    received: `a vocabulary of ${library.getVocabSize(true)} tokens`,
    next: "Copy or download tokenizer.json again.",
  });
}

/** Texts of which one should have tokens. The vocabulary is asked for only where the usual ones have none: a large one takes long. */
function* probeTexts(library: RustTokenizer): Generator<string> {
  yield* ["a", "the", "1"];
  yield* Object.keys(library.getVocab(false)).slice(0, 1000);
}

/**
 * From the definition, where its model has the vocabulary as {token: id} or, of Unigram, as a list: the library's own copy of a vocabulary
 * takes several times as long. Added tokens get their ids from the library, which need not keep those of the file.
 */
function largestId(library: RustTokenizer, definition: Record<string, unknown>): number {
  const { model, added_tokens: added } = definition;
  const vocabulary = isObject(model) ? model["vocab"] : undefined;
  if (!Array.isArray(added) || (!Array.isArray(vocabulary) && !isObject(vocabulary))) return largest(Object.values(library.getVocab(true)));
  const addedIds = added.map((token: unknown) => (isObject(token) ? (library.tokenToId(String(token["content"])) ?? -1) : -1));
  return Math.max(largest(addedIds), Array.isArray(vocabulary) ? vocabulary.length - 1 : largest(Object.values(vocabulary)));
}

/** −1 for none. */
function largest(ids: readonly unknown[]): number {
  let found = -1;
  for (const id of ids) if (typeof id === "number" && id > found) found = id;
  return found;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
