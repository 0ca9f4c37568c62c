/**
 * Pages of other origins, by the protocol that browsers follow (https://fetch.spec.whatwg.org/#http-cors-protocol): none may read a reply unless
 * its origin was allowed by name. Replies hold nothing of who asks but what its API key says, and no cookies are used, so credentials are
 * never allowed.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { LecternError } from "../errors.js";

/** What a page may send, and which headers of a reply it may read beside the usual ones. */
const [sent, read] = ["authorization, content-type", "retry-after, x-request-id"];
/** Seconds for which a browser may remember what it was told. */
const remembered = 600;

export interface CorsRules {
  /** Adds to a reply what lets the request's origin read it. */
  allow(request: FastifyRequest, reply: FastifyReply): void;
  /** Whether the request is a browser's question in advance, from an origin that is allowed. */
  isPreflight(request: FastifyRequest): boolean;
}

/**
 * @param origins https://app.example, `null` (pages from files, sandboxed frames) or * (any)
 * @throws LecternError SERVE_ALLOWED for what is no origin
 */
export function corsRules(origins: readonly string[]): CorsRules {
  const allowed = new Set(origins.map(asOrigin));
  const isAllowed = (origin: string | undefined): origin is string => origin !== undefined && (allowed.has("*") || allowed.has(origin));
  return {
    allow: ({ headers: { origin } }, reply) => {
      if (allowed.size === 0) return;
      if (!allowed.has("*")) void reply.header("vary", "Origin");
      if (isAllowed(origin)) void reply.headers({ "access-control-allow-origin": allowed.has("*") ? "*" : origin, "access-control-expose-headers": read });
    },
    isPreflight: ({ method, headers }) => method === "OPTIONS" && isAllowed(headers.origin) && headers["access-control-request-method"] !== undefined,
  };
}

/** Answers a browser's question in advance. */
export async function answerPreflight(reply: FastifyReply, methods: readonly string[]): Promise<void> {
  await reply
    .headers({ "access-control-allow-methods": methods.join(", "), "access-control-allow-headers": sent, "access-control-max-age": String(remembered) })
    .code(204)
    .send();
}

function asOrigin(text: string): string {
  if (text === "*" || text === "null") return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ["http:", "https:"].includes(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  throw new LecternError("SERVE_ALLOWED", {
    message: "An origin whose pages may ask is none.",
    expected: "https://app.example.org, with a port where it has one, or null, or *",
    received: JSON.stringify(text),
    next: "Name the site as the address bar shows it, without a path: --cors https://app.example.org.",
  });
}
