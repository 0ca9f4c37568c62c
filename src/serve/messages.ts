/**
 * What the server and an inference process say to each other. The server decides what is run when; the process holds the windows of each
 * request between tokenising and answering. Messages travel by Node's IPC with structured clones, so lone surrogates survive.
 */
import type { ErrorCode, ErrorDetail } from "../errors.js";
import type { AnswerOptions } from "../tasks/extractive/answer-options.js";
import type { Answer } from "../tasks/extractive/answer-spans.js";
import type { Question } from "../tasks/extractive/prepared-question.js";

/** The questions of one request, all with the same options. */
export interface Reading {
  readonly questions: readonly Question[];
  readonly options: AnswerOptions;
}

export type ToProcess =
  /** Tokenise a request and keep its windows. */
  | { readonly type: "prepare"; readonly id: number; readonly reading: Reading; readonly maxTokens: number }
  /** Run windows, by their numbers within their requests, as one batch. */
  | { readonly type: "run"; readonly windows: readonly BatchPart[] }
  /** The request was cancelled or timed out. */
  | { readonly type: "forget"; readonly id: number };

/** Windows [from, to) of a request. */
export interface BatchPart {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

export type FromProcess =
  | { readonly type: "loaded"; readonly isTrained: boolean; readonly residentBytes: number }
  | { readonly type: "notLoaded"; readonly error: SentError }
  /** The lengths of the request's windows in tokens. */
  | { readonly type: "prepared"; readonly id: number; readonly lengths: readonly number[] }
  | { readonly type: "refused"; readonly id: number; readonly error: SentError }
  /** The batch is done; `answered` are the requests whose last window was among it. */
  | { readonly type: "ran"; readonly answered: readonly { id: number; answers: Answer[][] }[]; readonly residentBytes: number }
  | { readonly type: "failed"; readonly error: SentError };

/** An error as it crosses the boundary between processes; with a code it is a user's mistake. */
export interface SentError {
  readonly message: string;
  readonly stack?: string;
  readonly code?: ErrorCode;
  readonly detail?: ErrorDetail;
}
