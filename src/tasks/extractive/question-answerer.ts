/** Questions answered by a reader: the answer, where it stands in the context, and how sure the reader is. */
import { resolveModel } from "../../checkpoint/hub.js";
import { type InferenceExecutor, nativeRuntime, type Runtime } from "../../engine/index.js";
import { InternalError } from "../../errors.js";
import type { AnswerOptions } from "./answer-options.js";
import type { Answer } from "./answer-spans.js";
import { inferSpans } from "./infer.js";
import { answersFrom, longestWindow, prepareQuestions, type PreparedQuestion, type Question } from "./prepared-question.js";
import { createReaderInference, openUnreadReader, type Reader, type UnreadReader } from "./reader.js";

export type { Answer, PreparedQuestion, Question };

export interface OpenOptions {
  /** Branch, tag or commit of a model on the hub. */
  readonly revision?: string;
  /** Run this ONNX file of an exported folder (`model_quantized`). */
  readonly onnxFile?: string;
  /** CPU threads; one a core by default. The first runtime of a process fixes their number. */
  readonly threads?: number;
  /** A runtime that is open already, in place of one with `threads`. */
  readonly runtime?: Runtime;
}

export interface CallOptions {
  /** Stops the work between two batches; the promise then rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Called after each batch: windows read, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** One answer where top_k is 1, a list where it is more; either where the number is not known when the program is compiled. */
export type AnswersFor<TopK extends number> = number extends TopK ? Answer | Answer[] : TopK extends 1 ? Answer : Answer[];

/** Most windows in a batch. */
const batchSize = 16;

export class QuestionAnswerer {
  private readonly reader: Reader;
  /** Calls that have not ended. */
  private begun = 0;
  private isReleased = false;
  /** There from the first question on. */
  private program: Promise<InferenceExecutor> | undefined;

  private constructor(
    private readonly runtime: Runtime,
    private readonly unread: UnreadReader,
  ) {
    this.reader = unread.reader;
  }

  /**
   * Opens a reader. Its folder is checked now; its weights are read with the first question, or by `load()`.
   * @param model folder of a model, or its name on the Hugging Face Hub
   * @throws LecternError those of finding and opening a model (docs/errors.md)
   * @example
   * const reader = await QuestionAnswerer.from("runs/quickstart");
   * const { answer } = await reader.answer({ question: "Who wrote it?", context: "It was written by Ada." });
   * reader.release();
   */
  static async from(model: string, options: OpenOptions = {}): Promise<QuestionAnswerer> {
    const { revision, onnxFile, threads, runtime = nativeRuntime({ threads }) } = options;
    const folder = await resolveModel(model, { revision });
    return new QuestionAnswerer(runtime, await openUnreadReader(runtime, folder, { seed: 0, maskPadding: true, onnxFile }));
  }

  /**
   * Reads the weights, unless they are there, so that the first question need not wait for them.
   * @throws LecternError FILE_NOT_READABLE, TENSOR_DTYPE, ONNX_CORRUPT
   */
  async load(): Promise<void> {
    await this.whileOpen(() => this.readyProgram());
  }

  /** The longest window that the model takes, in tokens. */
  get maxLength(): number {
    return longestWindow(this.reader);
  }

  /** Paths before the names in the checkpoint that were taken off: `module.`. */
  get wrappers(): readonly string[] {
    return this.reader.loaded.wrappers;
  }

  /** Parameters that the checkpoint did not hold. Of a reader there are none: its answers would be random. */
  get missingParameters(): readonly string[] {
    return this.reader.loaded.missing;
  }

  /**
   * The best answer to a question, or the `top_k` best; of a list of questions a list of these. Contexts of any length are read in windows.
   * Can be called again before the answer is there.
   * @throws LecternError QUESTION_EMPTY, ANSWER_OPTION, TOKENIZER_WINDOW, TEXT_TOO_LONG, ONNX_RUN
   * @example
   * const best = await reader.answer([{ question: "Who?", context }, { question: "When?", context }]);
   * const three = await reader.answer({ question: "Who?", context }, { top_k: 3, handle_impossible_answer: true });
   */
  answer<const TopK extends number = 1>(
    question: Question,
    options?: AnswerOptions & CallOptions & { top_k?: TopK },
  ): Promise<AnswersFor<TopK>>;
  answer<const TopK extends number = 1>(
    questions: readonly Question[],
    options?: AnswerOptions & CallOptions & { top_k?: TopK },
  ): Promise<AnswersFor<TopK>[]>;
  async answer(
    given: Question | readonly Question[],
    { signal, onProgress, ...options }: AnswerOptions & CallOptions = {},
  ): Promise<Answer | Answer[] | (Answer | Answer[])[]> {
    const isList = Array.isArray(given);
    const answers = await this.whileOpen(async () => {
      const prepared = await this.prepare(isList ? (given as Question[]) : [given as Question], options);
      return this.answerPrepared(prepared, { signal, onProgress });
    });
    const shaped = answers.map((best) => (options.top_k === undefined || options.top_k === 1 ? best[0] : best));
    return isList ? shaped : shaped[0];
  }

  /**
   * The first half of `answer`: checks questions and options and cuts the questions into windows. With what each costs known, a server can
   * put questions of several callers together, each with options of its own, and have them answered at once.
   * @throws LecternError QUESTION_EMPTY, ANSWER_OPTION, TOKENIZER_WINDOW, TEXT_TOO_LONG, ONNX_RUN
   */
  async prepare(questions: readonly Question[], options: AnswerOptions = {}): Promise<PreparedQuestion[]> {
    return this.whileOpen(() => prepareQuestions(this.reader, questions, options));
  }

  /** The second half: the answers to each question, best first, `top_k` of them at most and one at least. */
  async answerPrepared(prepared: readonly PreparedQuestion[], options: CallOptions = {}): Promise<Answer[][]> {
    const windows = prepared.flatMap((question) => question.windows);
    const { logits } = await this.whileOpen(async () => inferSpans(this.reader, await this.readyProgram(), windows, { batchSize, ...options }));
    return answersFrom(this.reader, prepared, logits);
  }

  /** Gives the model's memory back, once what is being answered is answered. Nothing can be asked afterwards. */
  release(): void {
    this.isReleased = true;
    if (this.begun === 0) this.giveBack();
  }

  private readyProgram(): Promise<InferenceExecutor> {
    this.program ??= (async () => {
      this.unread.readWeights();
      this.unread.close();
      return createReaderInference(this.runtime, this.reader);
    })();
    return this.program;
  }

  private giveBack(): void {
    this.unread.close();
    void this.program?.then(
      (program) => program.release(),
      () => undefined, // told to whoever asked
    );
  }

  private async whileOpen<T>(work: () => Promise<T>): Promise<T> {
    if (this.isReleased && this.begun === 0) throw new InternalError("a question was asked after release()");
    this.begun++;
    try {
      return await work();
    } finally {
      this.begun--;
      if (this.isReleased && this.begun === 0) this.giveBack();
    }
  }
}
