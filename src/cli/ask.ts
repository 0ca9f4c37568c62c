/** `lectern ask --model M --context FILE "question"`: what a reader finds in a text, and where. */
import { createReadStream } from "node:fs";
import type { Command } from "commander";
import { readingError } from "../files/system-errors.js";
import { LecternError } from "../errors.js";
import type { AnswerOptions } from "../tasks/extractive/answer-options.js";
import type { AlignToWords } from "../tasks/extractive/answer-places.js";
import { QuestionAnswerer } from "../tasks/extractive/question-answerer.js";
import { describeWrappers } from "../tasks/extractive/reader.js";
import { longestText, textTooLong } from "../text/windows.js";
import { alignment, alignmentHelp, threadCount, wholeNumber, withExamples } from "./help.js";
import { highlightAnswer, printable } from "./highlight.js";
import { Output, resultColors } from "./output.js";

interface AskOptions {
  model: string;
  context: string;
  revision?: string;
  onnxFile?: string;
  topK: number;
  stride?: number;
  maxAnswerLength?: number;
  maxLength?: number;
  maxQuestionLength?: number;
  version2WithNegative?: boolean;
  alignToWords?: AlignToWords;
  threads?: number;
  json?: boolean;
}

export function registerAsk(program: Command): void {
  const command = program
    .command("ask")
    .description("answer questions on a text, and say where in it the answers stand")
    .argument("<questions...>", "one or several, each in quotes")
    .requiredOption("--model <model>", "folder of a model, or its name on the Hugging Face Hub")
    .requiredOption("--context <file>", "the text to look in, UTF-8; - reads it from standard input")
    .option("--revision <revision>", "branch, tag or commit of a Hub model")
    .option("--onnx-file <name>", "run this ONNX file of an exported folder (model_quantized)")
    .option("--top-k <n>", "how many answers to each question", wholeNumber(1), 1)
    .option("--version-2-with-negative", "the text need not hold the answer: say so where that is likeliest")
    .option("--max-answer-length <n>", "most tokens of an answer (default: 15)", wholeNumber(1))
    .option("--max-question-length <n>", "tokens of a question that are read (default: 64)", wholeNumber(1))
    .option("--max-length <n>", "most tokens of a window (default: what the model takes, at most 384)", wholeNumber(1))
    .option("--stride <n>", "tokens that two windows share (default: half a window, at most 128)", wholeNumber(0))
    .option("--align-to-words <when>", alignmentHelp, alignment)
    .option("--threads <n>", "CPU threads; one a core by default", threadCount)
    .option("--json", "print {score, start, end, answer}, with question_cut where the question was cut: of several answers, and of several questions, a list")
    .action(async (questions: string[], options: AskOptions) => ask(questions, options));
  withExamples(command, [
    { line: 'lectern ask --model runs/quickstart --context article.txt "Who wrote it?"', does: "the answer, marked in its context" },
    { line: 'lectern ask --model M --context - --top-k 3 --json "Who?" "When?" < article.txt', does: "three answers to each, as JSON" },
  ]);
}

async function ask(questions: readonly string[], options: AskOptions): Promise<void> {
  const output = new Output(options.json ?? false);
  const context = await readContext(options.context, output);
  const { topK: top_k, version2WithNegative: handle_impossible_answer, model, revision, onnxFile, threads } = options;
  const settings: AnswerOptions = {
    top_k,
    handle_impossible_answer,
    max_answer_len: options.maxAnswerLength,
    max_question_len: options.maxQuestionLength,
    max_seq_len: options.maxLength,
    doc_stride: options.stride,
    align_to_words: options.alignToWords,
  };
  const reader = await QuestionAnswerer.from(model, { revision, onnxFile, threads });
  if (reader.missingParameters.length > 0) output.note(`${model} is not trained to answer questions: its answers are random.`);
  for (const line of describeWrappers(model, reader)) output.note(line);
  const prepared = await reader.prepare(
    questions.map((question) => ({ question, context })),
    settings,
  );
  for (const { question, windows, options } of prepared) {
    if (windows[0].questionCut) output.note(`The question "${printable(question.slice(0, 60))}${question.length > 60 ? "…" : ""}" is long: its first ${options.max_question_len} tokens were read (--max-question-length).`);
  }
  const progress = output.progress();
  const onProgress = (done: number, total: number) => progress.show({ type: "evaluating", step: 0, done, total });
  const answers = await reader.answerPrepared(prepared, { onProgress }).finally(() => progress.close());
  const shaped = answers.map((best) => (top_k === 1 ? best[0] : best));
  output.result(questions.length === 1 ? shaped[0] : shaped, () =>
    questions
      .map((question, index) => {
        const [answer, ...others] = answers[index];
        const lines = others.map(({ answer, score, start, end }, place) => {
          const where = resultColors.dim(`(score ${score.toFixed(2)}, characters ${start} to ${end})`);
          return `${place + 2}. ${resultColors.green(printable(answer) || "no answer")} ${where}`;
        });
        return [highlightAnswer({ question, context, answer }), ...lines].join("\n");
      })
      .join("\n\n"),
  );
  reader.release();
}

/** The text as it is, a byte order mark included: places in it count from the file's first character. */
async function readContext(file: string, output: Output): Promise<string> {
  const name = file === "-" ? "standard input" : file;
  if (file === "-" && process.stdin.isTTY) output.note("Type or paste the text; Ctrl-D on a line of its own ends it.");
  let bytes: Uint8Array;
  try {
    bytes = await readAll(file === "-" ? process.stdin : createReadStream(file));
  } catch (error) {
    throw readingError(error, name, "a text file; text itself can be piped in with --context -");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new LecternError(
      "FILE_NOT_READABLE",
      { message: `${name} is not UTF-8 text.`, expected: "plain text in UTF-8", next: "Save it as text in UTF-8." },
      { cause: error },
    );
  }
}

/** A stream need not end; no character of UTF-16 takes more than three bytes of UTF-8. */
async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > 3 * longestText) throw textTooLong(`more than ${3 * longestText} bytes`);
  }
  return Buffer.concat(chunks);
}
