/**
 * What a client is told when a request fails: a status of HTTP and one shape of JSON, {"error": {"code", "message", …}}. The codes are stable;
 * docs/serving.md lists them, and a test proves that the two agree.
 */
export const httpErrors = {
  INVALID_JSON: { status: 400, meaning: "The body is not JSON, is empty, or has a key such as __proto__." },
  INVALID_UTF8: { status: 400, meaning: "The body is not UTF-8." },
  BAD_REQUEST: { status: 400, meaning: "The request is not HTTP as it should be." },
  UNAUTHORIZED: { status: 401, meaning: "The server wants an API key, and there is none or a wrong one." },
  NOT_FOUND: { status: 404, meaning: "There is nothing under this path." },
  MODEL_NOT_FOUND: { status: 404, meaning: "No model of this name is served; `served` lists those that are." },
  METHOD_NOT_ALLOWED: { status: 405, meaning: "The path takes other methods; the header Allow names them." },
  REQUEST_TIMEOUT: { status: 408, meaning: "The request did not arrive whole in time." },
  BODY_TOO_LARGE: { status: 413, meaning: "The body has more bytes than the server takes." },
  QUESTION_TOO_LONG: { status: 413, meaning: "A question has more characters than the server takes." },
  CONTEXT_TOO_LONG: { status: 413, meaning: "The contexts of a request have more characters, or make more tokens, than the server takes." },
  TOO_MANY_QUESTIONS: { status: 413, meaning: "A request has more questions than the server takes." },
  REPLY_TOO_LARGE: { status: 413, meaning: "The answers have more characters than the server sends: ask for fewer, or for shorter ones." },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, meaning: "The body is declared as something else than JSON in UTF-8, or is compressed." },
  HOST_NOT_SERVED: { status: 421, meaning: "The server does not answer to the name in the header Host." },
  INVALID_REQUEST: { status: 422, meaning: "A value is missing, of the wrong type, or out of range; `details` names each." },
  MODEL_FAILED: { status: 422, meaning: "The model's file, which the message names, fails on this request: the file is at fault." },
  HEADERS_TOO_LARGE: { status: 431, meaning: "The headers are too large." },
  QUEUE_FULL: { status: 429, meaning: "More requests wait than may; come again after the seconds that Retry-After names." },
  INTERNAL: { status: 500, meaning: "A mistake of ours; the log has it under the same request id." },
  INFERENCE_CRASHED: { status: 500, meaning: "The inference process crashed on this request twice." },
  MODEL_UNAVAILABLE: { status: 503, meaning: "The model could not be loaded, or did not come back in time after a crash." },
  SHUTTING_DOWN: { status: 503, meaning: "The server finishes what it began and takes nothing new." },
  TIMEOUT: { status: 504, meaning: "The answer took longer than the server allows." },
} as const;

export type HttpErrorCode = keyof typeof httpErrors;

/** What the JSON holds beside code and message. */
export interface HttpErrorDetail {
  /** Each value that was wrong, and where it stands in the body. */
  details?: { path: string; message: string }[];
  /** The methods that the path takes. */
  allow?: string[];
  /** The models that there are. */
  served?: string[];
  /** What to do next. */
  next?: string;
}

/** A failure that the client is told of. */
export class HttpError extends Error {
  readonly status: number;

  constructor(
    readonly code: HttpErrorCode,
    message: string,
    readonly detail: HttpErrorDetail = {},
    /** Seconds after which to try again. */
    readonly retryAfter?: number,
  ) {
    super(message);
    this.name = "HttpError";
    this.status = httpErrors[code].status;
  }
}
