/**
 * The proof of an export: original and export read the same windows, and what comes out is compared: every logit, every answer, and with
 * data that has answers exact match and F1. An export that fails it is not declared done.
 */
import type { QaExample } from "../data/examples.js";
import type { Runtime } from "../engine/index.js";
import { LecternError } from "../errors.js";
import { evaluateSquad1, evaluateSquad2 } from "../evaluate/squad.js";
import { decodeAnswers, type SpanLogits } from "../tasks/extractive/decode.js";
import { type Feature, makeFeatures } from "../tasks/extractive/features.js";
import { inferSpans } from "../tasks/extractive/infer.js";
import { createReaderInference, type Reader } from "../tasks/extractive/reader.js";

export interface ProofData {
  readonly examples: readonly QaExample[];
  readonly features: readonly Feature[];
  /** Whether EM and F1 say something: not for the bundled sample, which only feeds real inputs. */
  readonly scored: boolean;
}

/** What a reader makes of the data. */
export interface Behaviour {
  readonly logits: readonly SpanLogits[];
  readonly predictions: ReadonlyMap<string, string>;
  readonly windowsPerSecond: number;
  readonly exact?: number;
  readonly f1?: number;
}

/** How an export compares with its original. */
export interface Proof {
  readonly questions: number;
  readonly windows: number;
  readonly largest_logit_difference: number;
  /** Of the original: its largest logit less its smallest. */
  readonly logit_range: number;
  readonly tolerance: number;
  /** Share of the questions that both answer with the same text. */
  readonly same_answers: number;
  readonly windows_per_second: number;
  readonly original_windows_per_second: number;
  readonly exact?: number;
  readonly original_exact?: number;
  readonly f1?: number;
  readonly original_f1?: number;
}

export interface ProofLimits {
  /** Largest difference of a logit, as a share of the original's range of logits. */
  readonly tolerance: number;
  /** Points of F1 that may be lost. */
  readonly maxF1Loss: number;
}

/** The windows that a proof runs on: as `lectern evaluate` cuts them. */
export async function proofData(reader: Reader, examples: readonly QaExample[], scored: boolean): Promise<ProofData> {
  const maxLength = Math.min(384, reader.encoder.maxLength);
  const stride = Math.min(128, Math.floor(maxLength / 3));
  const { features } = await makeFeatures(examples, reader.tokenizer, { maxLength, stride, forTraining: false });
  return { examples, features, scored };
}

/** Runs a reader over the data. */
export async function behaviourOf(runtime: Runtime, reader: Reader, { examples, features, scored }: ProofData): Promise<Behaviour> {
  const program = await createReaderInference(runtime, reader);
  try {
    const started = performance.now();
    const { logits } = await inferSpans(reader, program, features, { batchSize: 16 });
    const windowsPerSecond = (1000 * features.length) / (performance.now() - started);
    const withoutAnswers = examples.some(({ answers }) => answers.length === 0);
    const decoded = decodeAnswers(examples, features, logits, { nullThreshold: scored && withoutAnswers ? 0 : undefined });
    const { predictions } = decoded;
    if (!scored) return { logits, predictions, windowsPerSecond };
    if (withoutAnswers) {
      const { exact, f1 } = evaluateSquad2(examples, predictions, { noAnswerScores: decoded.nullOdds });
      return { logits, predictions, windowsPerSecond, exact, f1 };
    }
    const { exact_match: exact, f1 } = evaluateSquad1(examples, predictions);
    return { logits, predictions, windowsPerSecond, exact, f1 };
  } finally {
    program.release();
  }
}

/**
 * Compares an export with its original.
 * @throws LecternError EXPORT_TOLERANCE
 */
export function prove(name: string, original: Behaviour, exported: Behaviour, { tolerance, maxF1Loss }: ProofLimits): Proof {
  const { difference, low, high } = compareLogits(original.logits, exported.logits);
  const range = high - low;
  const answers = [...original.predictions];
  const same = answers.filter(([id, text]) => exported.predictions.get(id) === text).length;
  const limit = tolerance * range;
  if (!(difference <= limit)) {
    throw refused(
      `${name} gives other logits than its original.`,
      `a largest difference of ${limit.toPrecision(3)} (${tolerance} of the range of the original's logits, ${range.toPrecision(3)})`,
      `${difference.toPrecision(3)}; ${same} of ${answers.length} answers are the same`,
    );
  }
  if (original.f1 !== undefined && original.f1 - exported.f1! > maxF1Loss) {
    throw refused(
      `${name} answers worse than its original.`,
      `an F1 of at least ${(original.f1 - maxF1Loss).toFixed(2)} (${original.f1.toFixed(2)} less ${maxF1Loss})`,
      exported.f1!.toFixed(2),
    );
  }
  return {
    questions: answers.length,
    windows: original.logits.length,
    largest_logit_difference: difference,
    logit_range: range,
    tolerance: limit,
    same_answers: same / answers.length,
    windows_per_second: exported.windowsPerSecond,
    original_windows_per_second: original.windowsPerSecond,
    ...(original.f1 !== undefined && {
      exact: exported.exact,
      original_exact: original.exact,
      f1: exported.f1,
      original_f1: original.f1,
    }),
  };
}

/** NaN anywhere is an infinite difference. */
function compareLogits(
  original: readonly SpanLogits[],
  exported: readonly SpanLogits[],
): { difference: number; low: number; high: number } {
  let [difference, low, high] = [0, Infinity, -Infinity];
  original.forEach((window, index) => {
    for (const side of ["start", "end"] as const) {
      window[side].forEach((value, token) => {
        const apart = Math.abs(value - exported[index][side][token]);
        difference = Number.isNaN(apart) ? Infinity : Math.max(difference, apart);
        low = Math.min(low, value);
        high = Math.max(high, value);
      });
    }
  });
  return { difference, low, high };
}

function refused(message: string, expected: string, received: string): LecternError {
  return new LecternError("EXPORT_TOLERANCE", {
    message: `${message} Nothing was written.`,
    expected,
    received,
    next: "Keep more of the model in float32 (another --dtype or --mode, other data to calibrate on), or allow more with --tolerance or --max-f1-loss.",
  });
}
