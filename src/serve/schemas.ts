/** What requests and replies look like: one Zod schema each, which validates, types the handlers and becomes the OpenAPI document. */
import { z } from "zod";

const text = (what: string) => z.string({ error: `must be ${what}` });
const count = (least: number, most: number) => {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};
const question = text("a string").refine((value) => value.trim() !== "", { error: "must not be empty" });
const one = { question: "Who designed the machine?", context: "Charles Babbage designed the machine in London." };

/** The options of the transformers pipeline, under its names. */
const options = {
  top_k: count(1, 100).optional().meta({ description: "answers a question; above 1 each question is answered with a list. Default 1" }),
  doc_stride: count(0, 100_000)
    .optional()
    .meta({ description: "tokens by which neighbouring windows of a long context overlap. Default: half a window, at most 128" }),
  max_answer_len: count(1, 1000).optional().meta({ description: "the longest answer in tokens. Default 15" }),
  max_seq_len: count(1, 100_000).optional().meta({ description: "tokens of a window. Default 384, or what the model takes if that is less" }),
  max_question_len: count(1, 100_000).optional().meta({ description: "tokens of a question that are kept. Default 64" }),
  handle_impossible_answer: z
    .boolean({ error: "must be true or false" })
    .optional()
    .meta({ description: "answer with an empty string where no answer scores higher than having none. Default false" }),
  align_to_words: z
    .literal([true, false, "auto"], { error: 'must be true, false or "auto"' })
    .optional()
    .meta({ description: 'widen answers to whole words as the tokenizer cuts them; "auto", the default: only as far as the script has spaces between words' }),
};

const oneOrMany = (single: z.ZodType<string>) =>
  z.union([single, z.array(single).min(1, { error: "must not be an empty list" })], {
    error: ({ input }) => (typeof input === "string" || Array.isArray(input) ? undefined : "must be a string or a list of strings"),
  });

export const questionBody = z
  .strictObject(
    {
      model: text("the name of a served model").optional().meta({ description: "which model answers; the first of /v1/models if left out" }),
      question: oneOrMany(question).meta({ description: "one question or a list" }),
      context: oneOrMany(text("a string")).meta({
        description: "the text that answers are looked for in: one for all questions, or a list with one for each",
      }),
      ...options,
    },
    { error: ({ code }) => (code === "invalid_type" ? "must be an object with a question and a context" : undefined) },
  )
  .meta({ examples: [one, { ...one, question: [one.question, "Where?"], top_k: 2 }] });
export type QuestionBody = z.output<typeof questionBody>;

const answer = z
  .object({
    score: z.number().meta({ description: "how likely the reader takes the answer to be; where windows overlap it can pass 1" }),
    start: z.int().meta({ description: "where the answer begins in the context, in UTF-16 code units, as in JavaScript's strings" }),
    end: z.int().meta({ description: "where it ends, exclusive" }),
    answer: z.string().meta({ description: "context.slice(start, end); empty for no answer" }),
    question_cut: z.literal(true).optional().meta({ description: "there where the question is longer than max_question_len, and was read up to there only" }),
  })
  .meta({ id: "Answer" });
const answers = z.union([answer, z.array(answer)]);
export const questionReply = z
  .union([answers, z.array(answers)])
  .meta({ id: "QuestionReply", description: "The answer to one question (with top_k above 1 a list of them), or a list of such for a list of questions." });

export const modelList = z
  .object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        id: z.string(),
        object: z.literal("model"),
        task: z.literal("question-answering"),
        loaded: z.boolean().meta({ description: "in memory now; others are loaded when they are asked" }),
      }),
    ),
  })
  .meta({ id: "ModelList" });

export const errorReply = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      details: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
      allow: z.array(z.string()).optional(),
      served: z.array(z.string()).optional(),
      next: z.string().optional(),
      request_id: z.string().optional(),
    }),
  })
  .meta({ id: "Error" });
export type ErrorReply = z.output<typeof errorReply>;

export const health = z.object({ status: z.string() }).meta({ id: "Health" });
