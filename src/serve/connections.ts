/**
 * The connections of a server, which clients open and the server must be able to end whatever they do. Node refuses a request that does not
 * arrive in time but leaves the connection half open, waits for a client to take its reply for ever, and when the server closes waits for every
 * connection that is not idle. So each connection is known here, with the replies that it is owed, and is ended
 *
 * - after a refusal, once that is sent and the client has had a moment to read it;
 * - when it has not taken its reply in time;
 * - when there are more than may be: the one that has waited longest without a request makes room;
 * - when the server ends: at once where nothing is owed, else when the reply is sent or the time is over.
 *
 * A client that closes its side after a whole request gets its reply. Whether it has only closed its side, or has gone, a server finds out by
 * sending: so it is sent `102 Processing` while it waits, which HTTP/1.1 clients pass over, and one that has gone answers with a reset.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { refusal, refuseRequest } from "./error-replies.js";
import type { HttpErrorCode } from "./http-error.js";
import { waitsToSend } from "./json-body.js";

export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Milliseconds within which a request arrives whole, and a reply is taken. */
  readonly clientTimeout: number;
  /** Milliseconds that a connection may wait for its next request. */
  readonly keepAliveTimeout: number;
}

interface Connection {
  readonly socket: Socket;
  /** Of requests that have begun: those that are not sent yet. */
  readonly replies: Set<ServerResponse>;
  /** Since when it is owed nothing. */
  freeSince: number;
  /** Since when bytes wait for the client to take others. */
  unsentSince: number | undefined;
  isRefused: boolean;
  hasEnded: boolean;
}

/** Requests that a connection may send before it has taken the replies to those before. */
const mostAtOnce = 8;
/** Milliseconds that a refused client is given to read why. */
const timeToRead = 1000;

export class Connections {
  /** Those that are owed nothing in the order of `freeSince`, others among them. */
  private readonly all = new Map<Duplex, Connection>();
  private readonly sweeper: NodeJS.Timeout;
  private onEnded: (() => void) | undefined;

  constructor(private readonly limits: ConnectionLimits) {
    this.sweeper = setInterval(() => this.sweep(), checkingInterval(limits.clientTimeout)).unref();
  }

  /** Looks after the connections of a server, whose requests the handler is given. */
  adopt(server: Server, handler: RequestListener): void {
    server.on("connection", (socket) => this.add(socket));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      if (this.owe(response)) handler(request, response);
      else refuseRequest(response, "QUEUE_FULL", `A connection may ask ${mostAtOnce} times before it has taken the replies.`, { "retry-after": "1" });
    });
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      response.shouldKeepAlive = false; // a client that is answered without having been told to send may send the body or not
      waitsToSend(request, () => {
        response.shouldKeepAlive = true;
        response.writeContinue();
      });
      server.emit("request", request, response);
    });
    // what else a client may expect, a server need not know
    server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => server.emit("request", request, response));
    server.on("clientError", (error: Error & { code?: string }, socket) => this.refuse(error, socket));
  }

  /**
   * Ends all connections: at once where no reply is owed, else when it is sent, and after so many milliseconds in any case. Resolves when
   * there is none.
   */
  async end(milliseconds: number): Promise<void> {
    const ended = new Promise<void>((resolve) => (this.onEnded = resolve));
    for (const connection of this.all.values()) if (!isOwed(connection)) connection.socket.destroy();
    const late = setTimeout(() => {
      for (const { socket } of this.all.values()) socket.destroy();
    }, milliseconds);
    if (this.all.size === 0) this.onEnded?.();
    await ended;
    clearTimeout(late);
    clearInterval(this.sweeper);
  }

  private add(socket: Socket): void {
    if (this.onEnded !== undefined) return void socket.destroy();
    if (this.all.size >= this.limits.maxConnections) {
      const longest = [...this.all.values()].find((connection) => !isOwed(connection));
      if (longest === undefined) return void socket.destroy();
      longest.socket.destroy();
      this.all.delete(longest.socket);
    }
    const connection: Connection = { socket, replies: new Set(), freeSince: performance.now(), unsentSince: undefined, isRefused: false, hasEnded: false };
    this.all.set(socket, connection);
    socket.on("end", () => (connection.hasEnded = true));
    socket.on("close", () => {
      this.all.delete(socket);
      for (const reply of connection.replies) closeQueued(reply);
      if (this.all.size === 0) this.onEnded?.();
    });
  }

  /** Notes that a reply is owed; false where that would be more than one connection may ask for at the same time. */
  private owe(response: ServerResponse): boolean {
    const connection = this.all.get(response.req.socket);
    if (connection === undefined) return true; // ended already: nobody will read it
    if (connection.replies.size >= mostAtOnce) return false;
    connection.replies.add(response);
    response.on("close", () => {
      connection.replies.delete(response);
      if (connection.replies.size > 0 || !this.all.has(connection.socket)) return;
      if (this.onEnded !== undefined) return connection.socket.destroySoon();
      connection.freeSince = performance.now();
      this.all.delete(connection.socket);
      this.all.set(connection.socket, connection);
    });
    return true;
  }

  /** Answers what is not HTTP, or did not arrive in time, where no reply stands in the way, and ends the connection. */
  private refuse(error: Error & { code?: string }, socket: Duplex): void {
    const connection = this.all.get(socket);
    if (connection?.isRefused === true) return; // every further piece fails anew
    const isTaken = connection === undefined || [...connection.replies].some((reply) => reply.headersSent || reply.req.complete);
    if (isTaken || error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    connection.isRefused = true;
    const codes: Record<string, HttpErrorCode> = { ERR_HTTP_REQUEST_TIMEOUT: "REQUEST_TIMEOUT", HPE_HEADER_OVERFLOW: "HEADERS_TOO_LARGE" };
    socket.end(refusal(codes[error.code ?? ""] ?? "BAD_REQUEST"));
    setTimeout(() => socket.destroy(), timeToRead).unref();
  }

  private sweep(): void {
    const now = performance.now();
    const { clientTimeout, keepAliveTimeout } = this.limits;
    for (const connection of this.all.values()) {
      const { socket, replies, freeSince, hasEnded } = connection;
      connection.unsentSince = socket.writableLength === 0 ? undefined : (connection.unsentSince ?? now);
      const isLate = now - (connection.unsentSince ?? now) > clientTimeout;
      // Node ends those that have nothing to wait for; this is for the ones that it has lost sight of
      const isForgotten = !isOwed(connection) && now - freeSince > 2 * Math.max(clientTimeout, keepAliveTimeout);
      if (isLate || isForgotten) socket.destroy();
      else if (hasEnded) for (const reply of replies) if (reply.socket !== null && !reply.headersSent && reply.req.httpVersion === "1.1") reply.writeProcessing();
    }
  }
}

/** Milliseconds from one look at all connections to the next, so that a time is kept to a quarter of it, or a second. */
export function checkingInterval(clientTimeout: number): number {
  return Math.min(1000, Math.ceil(clientTimeout / 4));
}

/**
 * Replies that wait for their turn on a connection with several requests are not told by Node that it has ended, and what they would send (an open
 * file, a place in a queue) would be kept for ever.
 */
function closeQueued(reply: ServerResponse): void {
  if (reply.socket !== null || reply.writableFinished) return;
  reply.destroy();
  reply.emit("close");
}

/** A request has arrived whole and its reply is not sent, or a reply is being sent. */
function isOwed({ replies }: Connection): boolean {
  return [...replies].some((reply) => !reply.writableFinished && (reply.req.complete || reply.writableEnded));
}
