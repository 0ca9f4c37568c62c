/** From whatever went wrong to the one shape of error that clients are sent. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { type ErrorCode, LecternError } from "../errors.js";
import { HttpError, type HttpErrorCode, httpErrors } from "./http-error.js";
import { isWaitingToSend } from "./json-body.js";
import type { ErrorReply } from "./schemas.js";

/** An error as clients are told of it; what is not theirs to know becomes INTERNAL. */
export function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof LecternError) return fromLectern(error);
  const { code, statusCode } = error as Partial<FastifyError>;
  const known = code === undefined ? undefined : fastifyCodes[code];
  if (known !== undefined) return new HttpError(...known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new HttpError("BAD_REQUEST", "The request is not HTTP as it should be.");
  return new HttpError("INTERNAL", "This is a mistake in Lectern, not yours. The log of the server has it under the request id.");
}

const fastifyCodes: Readonly<Record<string, [HttpErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["UNSUPPORTED_MEDIA_TYPE", "Send JSON, with the header Content-Type: application/json."],
  FST_ERR_BAD_URL: ["BAD_REQUEST", "The path is not encoded as it should be."],
};

/** Options that do not fit the model or each other, texts that make too many windows, and a model's file that cannot be run on them. */
function fromLectern({ code, detail }: LecternError): HttpError {
  const { message, expected, received, next } = detail;
  const whole = [message, ...(expected === undefined ? [] : [`Expected: ${expected}.`]), ...(received === undefined ? [] : [`Received: ${received}.`])].join(" ");
  const codes: Partial<Record<ErrorCode, HttpErrorCode>> = { TOO_MANY_TOKENS: "CONTEXT_TOO_LONG", TEXT_TOO_LONG: "CONTEXT_TOO_LONG", ONNX_RUN: "MODEL_FAILED" };
  return new HttpError(codes[code] ?? "INVALID_REQUEST", whole, { next });
}

/** The body of an error's reply. */
export function errorBody({ code, message, detail }: HttpError, requestId?: string): ErrorReply {
  return { error: { code, message, ...detail, ...(requestId !== undefined && { request_id: requestId }) } };
}

/** Sends an error; a mistake of ours goes to the log with its stack. */
export async function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const error = asHttpError(thrown);
  if (error.code === "MODEL_FAILED") request.log.warn({ why: error.message }, "the model's file fails on a request");
  if (error.code === "INTERNAL") request.log.error({ err: thrown }, "internal error");
  reply.failure = error.code;
  if (error.retryAfter !== undefined) void reply.header("retry-after", String(error.retryAfter));
  if (error.detail.allow !== undefined) void reply.header("allow", error.detail.allow.join(", "));
  if (error.code === "UNAUTHORIZED") void reply.header("www-authenticate", "Bearer");
  const body = JSON.stringify(errorBody(error, request.id));
  void reply.code(error.status).type("application/json; charset=utf-8").serializer((text: string) => text);
  if (request.raw.complete || isWaitingToSend(request.raw)) await reply.send(body);
  else await reply.header("content-length", Buffer.byteLength(body)).send(afterRest(request.raw, body));
}

/** Bytes of a refused request that are still read. */
const mostDiscarded = 2 ** 27;

/**
 * A reply to a request that is still being sent. Were the connection closed after it, the rest that nobody reads would make the system reset it,
 * and the client would see the reset and not the reply; so the reply goes out at once, and ends when the rest has been read and thrown away.
 */
function afterRest(request: IncomingMessage, body: string): Readable {
  const reply = new Readable({ read() {} });
  reply.push(body);
  const end = (): void => void (reply.readableEnded || reply.push(null));
  let left = mostDiscarded;
  request.on("data", (piece: Buffer) => {
    left -= piece.length;
    if (left < 0) request.destroy();
  });
  request.on("end", end).on("error", end).on("close", end).resume();
  return reply;
}

/** Refuses a request that the routes never see. */
export function refuseRequest(response: ServerResponse, code: HttpErrorCode, message: string, headers: Record<string, string> = {}): void {
  const body = JSON.stringify(errorBody(new HttpError(code, message)));
  response.writeHead(httpErrors[code].status, { ...headers, "content-type": "application/json; charset=utf-8", "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** What is answered where there is no request yet, only a connection. */
export function refusal(code: HttpErrorCode): string {
  const { status, meaning } = httpErrors[code];
  const body = JSON.stringify(errorBody(new HttpError(code, meaning)));
  const head = [`HTTP/1.1 ${status} ${code}`, "Content-Type: application/json; charset=utf-8", `Content-Length: ${Buffer.byteLength(body)}`, "Connection: close"];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
