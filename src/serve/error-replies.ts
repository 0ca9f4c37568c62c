/** From whatever went wrong to the one shape of error that clients are sent. */
import type { Socket } from "node:net";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { LecternError } from "../errors.js";
import { HttpError, type HttpErrorCode, httpErrors } from "./http-error.js";
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
  FST_ERR_CTP_BODY_TOO_LARGE: ["BODY_TOO_LARGE", "The body has more bytes than this server takes."],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["INVALID_JSON", "The body is empty. Send an object with a question and a context."],
  FST_ERR_CTP_INVALID_JSON_BODY: ["INVALID_JSON", "The body is not JSON."],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["UNSUPPORTED_MEDIA_TYPE", "Send JSON, with the header Content-Type: application/json."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["BAD_REQUEST", "The body is not as long as Content-Length says."],
  FST_ERR_BAD_URL: ["BAD_REQUEST", "The path is not encoded as it should be."],
};

/** Options that do not fit the model or each other, and texts that make too many windows. */
function fromLectern({ code, detail }: LecternError): HttpError {
  const { message, expected, received, next } = detail;
  const whole = [message, ...(expected === undefined ? [] : [`Expected: ${expected}.`]), ...(received === undefined ? [] : [`Received: ${received}.`])].join(" ");
  return new HttpError(code === "TOO_MANY_TOKENS" ? "CONTEXT_TOO_LONG" : "INVALID_REQUEST", whole, { next });
}

/** The body of an error's reply. */
export function errorBody({ code, message, detail }: HttpError, requestId?: string): ErrorReply {
  return { error: { code, message, ...detail, ...(requestId !== undefined && { request_id: requestId }) } };
}

/** Sends an error; a mistake of ours goes to the log with its stack. */
export async function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const error = asHttpError(thrown);
  if (error.code === "INTERNAL") request.log.error({ err: thrown }, "internal error");
  reply.failure = error.code;
  if (error.retryAfter !== undefined) void reply.header("retry-after", String(error.retryAfter));
  if (error.code === "UNAUTHORIZED") void reply.header("www-authenticate", "Bearer");
  await reply.code(error.status).type("application/json; charset=utf-8").serializer(JSON.stringify).send(errorBody(error, request.id));
}

/** Answers what is not HTTP at all: there is no request yet, only the connection. */
export function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const codes: Record<string, HttpErrorCode> = { ERR_HTTP_REQUEST_TIMEOUT: "REQUEST_TIMEOUT", HPE_HEADER_OVERFLOW: "HEADERS_TOO_LARGE" };
  const code = codes[error.code ?? ""] ?? "BAD_REQUEST";
  const { status, meaning } = httpErrors[code];
  const body = JSON.stringify(errorBody(new HttpError(code, meaning)));
  const head = [`HTTP/1.1 ${status} ${code}`, "Content-Type: application/json; charset=utf-8", `Content-Length: ${Buffer.byteLength(body)}`, "Connection: close"];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
