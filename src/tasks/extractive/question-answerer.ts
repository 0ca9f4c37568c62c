/** Questions answered by a reader: the answer, where it stands in the context, and how sure the reader is. */
import type { QaExample } from "../../data/examples.js";
import { type InferenceExecutor, nativeRuntime, type Runtime } from "../../engine/index.js";
import { resolveModel } from "../../checkpoint/hub.js";
import { decodeAnswers, type Span } from "./decode.js";
import { makeFeatures } from "./features.js";
import { inferSpans } from "./infer.js";
import { createReaderInference, openReader, type Reader } from "./reader.js";

export interface Question {
  readonly question: string;
  readonly context: string;
}

/** An answer: `start` and `end` are UTF-16 code units of the context, so `context.slice(start, end) === answer`. */
export interface Answer {
  readonly answer: string;
  readonly start: number;
  readonly end: number;
  /** Softmax of the span's score over the best spans. */
  readonly score: number;
}

export class QuestionAnswerer {
  private constructor(
    private readonly reader: Reader,
    private readonly program: InferenceExecutor,
  ) {}

  /**
   * Loads a reader.
   * @param model folder of a model, or its name on the Hugging Face Hub
   * @example
   * const reader = await QuestionAnswerer.from("runs/quickstart");
   * const [{ answer }] = await reader.answer([{ question: "Who wrote it?", context: "It was written by Ada." }]);
   */
  static async from(model: string, runtime: Runtime = nativeRuntime()): Promise<QuestionAnswerer> {
    const reader = await openReader(runtime, await resolveModel(model), { seed: 0, maskPadding: true });
    return new QuestionAnswerer(reader, await createReaderInference(runtime, reader));
  }

  /** The best answer to each question; contexts of any length are read in windows. */
  async answer(questions: readonly Question[]): Promise<Answer[]> {
    const examples = questions.map(({ question, context }, index): QaExample => ({ id: String(index), question, context, answers: [], impossible: true }));
    const maxLength = Math.min(384, this.reader.encoder.maxLength);
    const { features } = await makeFeatures(examples, this.reader.tokenizer, { maxLength, stride: Math.floor(maxLength / 3), forTraining: false });
    const { logits } = await inferSpans(this.reader, this.program, features, { batchSize: 16 });
    const { nBest } = decodeAnswers(examples, features, logits);
    return examples.map(({ id }) => {
      const best: Span | undefined = nBest.get(id)?.[0];
      return best === undefined ? { answer: "", start: 0, end: 0, score: 0 } : { answer: best.text, start: best.start, end: best.end, score: best.probability };
    });
  }

  release(): void {
    this.program.release();
  }
}
