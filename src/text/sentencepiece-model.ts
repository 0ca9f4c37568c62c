/**
 * SentencePiece's model file (Kudo & Richardson 2018): a protobuf message, of which only what a tokenizer is made of is read here. Field
 * numbers are those of sentencepiece_model.proto (github.com/google/sentencepiece, src/).
 */
import { eachField } from "../files/protobuf-fields.js";

export interface SentencePiece {
  readonly text: string;
  /** Logarithm of its probability. */
  readonly score: number;
  readonly kind: "normal" | "unknown" | "control" | "user defined" | "unused" | "byte";
}

export interface SentencePieceModel {
  /** A token's id is its place here. */
  readonly pieces: readonly SentencePiece[];
  readonly algorithm: "unigram" | "bpe" | "word" | "char";
  readonly unknownId: number;
  /** The table of the normalisation, as the tokenizers library takes it too; empty for none. */
  readonly charsmap: Uint8Array;
}

const kinds = ["normal", "unknown", "control", "user defined", "unused", "byte"] as const;
const algorithms = ["unigram", "bpe", "word", "char"] as const;

/**
 * Reads a model file.
 * @throws Error where the bytes are not one
 */
export function parseSentencePieceModel(bytes: Uint8Array): SentencePieceModel {
  const pieces: SentencePiece[] = [];
  let algorithm: SentencePieceModel["algorithm"] = "unigram";
  let unknownId = 0;
  let charsmap: Uint8Array = new Uint8Array();
  eachField(bytes, {
    1: (reader) => pieces.push(parsePiece(reader.bytes())),
    2: (trainer) =>
      eachField(trainer.bytes(), {
        3: (reader) => (algorithm = named(algorithms, reader.int32(), "algorithm")),
        40: (reader) => (unknownId = reader.int32()),
      }),
    3: (normaliser) => eachField(normaliser.bytes(), { 2: (reader) => (charsmap = reader.bytes()) }),
  });
  if (pieces.length === 0) throw new Error("no pieces");
  return { pieces, algorithm, unknownId, charsmap };
}

function parsePiece(bytes: Uint8Array): SentencePiece {
  let text = "";
  let score = 0;
  let kind: SentencePiece["kind"] = "normal";
  eachField(bytes, {
    1: (reader) => (text = reader.string()),
    2: (reader) => (score = reader.float()),
    3: (reader) => (kind = named(kinds, reader.int32(), "kind of piece")),
  });
  if (!Number.isFinite(score)) throw new Error(`the score ${score} of ${JSON.stringify(text)}`);
  return { text, score, kind };
}

/** Enumerations count from 1. */
function named<T extends string>(names: readonly T[], value: number, what: string): T {
  const name = names[value - 1];
  if (name === undefined) throw new Error(`${what} ${value}`);
  return name;
}
