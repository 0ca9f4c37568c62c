/** POST /v1/question-answering: one question or many, answered by a model that is served. */
import type { FastifyReply } from "fastify";
import type { Answer } from "../tasks/extractive/answer-spans.js";
import type { Question } from "../tasks/extractive/prepared-question.js";
import type { App } from "./app.js";
import { deepest, mostKeys } from "./body-counts.js";
import { HttpError } from "./http-error.js";
import type { ServerMetrics } from "./metrics.js";
import type { ModelRegistry } from "./model-registry.js";
import type { ResolvedOptions } from "./options.js";
import { errorReply, type QuestionBody, questionBody, questionReply } from "./schemas.js";

export interface QuestionRoute {
  readonly registry: ModelRegistry;
  readonly metrics: ServerMetrics;
  readonly options: ResolvedOptions;
  isDraining(): boolean;
}

const failures = Object.fromEntries([400, 401, 404, 408, 413, 415, 421, 422, 429, 500, 503, 504].map((status) => [status, errorReply]));

export function registerQuestionRoute(app: App, { registry, metrics, options, isDraining }: QuestionRoute): void {
  const schema = {
    summary: "Answer questions from a text",
    description:
      "`question` and `context` may be lists, as in the transformers pipeline: with one context for all questions, or one for each. " +
      "Positions are UTF-16 code units, so that in JavaScript `context.slice(start, end) === answer`. " +
      `A body may have ${options.maxBodyBytes} bytes, ${mostKeys} keys, lists of ${options.maxQuestions} elements, and be nested ${deepest} deep; ` +
      `a question ${options.maxQuestionCharacters} characters, all contexts together ${options.maxContextCharacters}.`,
    tags: ["question answering"],
    body: questionBody,
    response: { 200: questionReply, ...failures },
  };
  app.post("/v1/question-answering", { schema }, async (request, reply) => {
    const started = performance.now();
    const counted: { model?: string } = {};
    reply.raw.on("close", () => {
      const status = reply.raw.writableFinished ? reply.statusCode : clientGone;
      metrics.answered(counted.model, status, (performance.now() - started) / 1000);
    });
    if (isDraining()) {
      void reply.header("connection", "close");
      throw new HttpError("SHUTTING_DOWN", "The server is shutting down: ask another one, or again later.", {}, 5);
    }
    const { model: asked, question, context, ...answerOptions } = request.body;
    const service = registry.find(asked);
    const model = (counted.model = service.name);
    const questions = pairs(question, context);
    checkSizes(questions, options);
    reply.told = { ...reply.told, model, questions: questions.length, characters: questions.reduce((sum, one) => sum + one.context.length, 0) };
    if (options.logContent) reply.told.content = { question, context };
    const place = holdPlace(reply, options.timeout);
    try {
      const { answers, windows, tokens } = await service.answer({ questions, options: answerOptions }, place.signal);
      Object.assign(reply.told, { windows, tokens }, options.logContent && { answers });
      checkReply(answers, options);
      const shaped = answers.map((best) => ((answerOptions.top_k ?? 1) === 1 ? best[0] : best));
      return Array.isArray(question) || Array.isArray(context) ? shaped : shaped[0];
    } catch (error) {
      if (error === timedOut && service.state !== "ready") {
        throw new HttpError("MODEL_UNAVAILABLE", `The model ${model} is not in memory: it is being loaded, or comes back after a crash.`, {}, 5);
      }
      throw error;
    } finally {
      place.release();
    }
  });
}

function checkReply(answers: readonly Answer[][], { maxBodyBytes }: ResolvedOptions): void {
  const characters = answers.flat().reduce((sum, { answer }) => sum + answer.length, 0);
  if (characters <= 2 * maxBodyBytes) return;
  throw new HttpError("REPLY_TOO_LARGE", `The answers have ${characters} characters together, and this server sends ${2 * maxBodyBytes}.`, {
    next: "Ask fewer questions at once, or lower top_k or max_answer_len.",
  });
}

/** As nginx counts requests whose client did not wait. */
const clientGone = 499;

const timedOut = new HttpError("TIMEOUT", "The answer took longer than this server allows: send a shorter context or fewer questions, or try again.");
const gone = new HttpError("BAD_REQUEST", "The client has closed the connection.");

/** A signal that gives up the request's place when its time is over or its client has gone. */
function holdPlace(reply: FastifyReply, timeout: number): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(timedOut), timeout);
  const onClose = (): void => controller.abort(gone);
  reply.raw.on("close", onClose);
  return {
    signal: controller.signal,
    release: () => {
      clearTimeout(timer);
      reply.raw.off("close", onClose);
    },
  };
}

function pairs(question: QuestionBody["question"], context: QuestionBody["context"]): Question[] {
  const questions = Array.isArray(question) ? question : [question];
  if (!Array.isArray(context)) return questions.map((one) => ({ question: one, context }));
  if (!Array.isArray(question)) return context.map((one) => ({ question, context: one }));
  if (questions.length !== context.length) {
    throw new HttpError("INVALID_REQUEST", `There are ${questions.length} questions and ${context.length} contexts: send one context, or one for each question.`, {
      details: [{ path: "context", message: `has ${context.length} texts for ${questions.length} questions` }],
    });
  }
  return questions.map((one, index) => ({ question: one, context: context[index] }));
}

function checkSizes(questions: readonly Question[], { maxQuestionCharacters, maxContextCharacters }: ResolvedOptions): void {
  const longest = questions.reduce((most, { question }) => Math.max(most, question.length), 0);
  if (longest > maxQuestionCharacters) {
    throw new HttpError("QUESTION_TOO_LONG", `A question may have ${maxQuestionCharacters} characters, this one has ${longest}.`);
  }
  const characters = questions.reduce((sum, { context }) => sum + context.length, 0);
  if (characters > maxContextCharacters) {
    throw new HttpError("CONTEXT_TOO_LONG", `The contexts of a request may have ${maxContextCharacters} characters together, these have ${characters}.`, {
      next: "A context that several questions share counts for each of them.",
    });
  }
}
