/** Connections that send what no HTTP client would: byte by byte, cut off, without end. They stay half open until the server ends them. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawConnection {
  readonly socket: Socket;
  /** What has come so far. */
  readonly received: string;
  /** Resolves when something that fits has come; fails when the connection ends without, or after ten seconds. */
  receives(pattern: RegExp): Promise<string>;
  /** Resolves, with all that has come, when the server has closed its side or reset the connection. */
  readonly ended: Promise<string>;
  /** Resolves when the connection is reset or, where this side was closed, too, at its end. */
  readonly gone: Promise<string>;
}

/** Connects to a server and sends some bytes, after which the connection stays open. */
export async function openRaw(url: string, bytes: string | Uint8Array = ""): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port), allowHalfOpen: true });
  let received = "";
  socket.on("data", (data: Buffer) => (received += data.toString("latin1")));
  socket.on("error", () => {}); // a reset is an end, too
  const gone = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  const ended = Promise.race([gone, new Promise<string>((resolve) => socket.on("end", () => resolve(received)))]);
  await Promise.race([once(socket, "connect"), gone]);
  if (bytes.length > 0) socket.write(bytes);
  const receives = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const give = (): void => {
        if (!pattern.test(received)) return;
        clearTimeout(late);
        resolve(received);
      };
      const late = setTimeout(() => reject(new Error(`${String(pattern)} did not come, but ${JSON.stringify(received.slice(0, 200))}`)), 10_000);
      socket.on("data", give);
      void ended.then(() => (give(), clearTimeout(late), reject(new Error(`it ended with ${JSON.stringify(received.slice(0, 200))}`))));
      give();
    });
  return {
    socket,
    ended,
    gone,
    receives,
    get received() {
      return received;
    },
  };
}

/** The bytes of a question's request. */
export function questionRequest(body: string, headers: readonly string[] = [`Content-Length: ${Buffer.byteLength(body)}`]): string {
  return ["POST /v1/question-answering HTTP/1.1", "Host: localhost", "Content-Type: application/json", ...headers, "", body].join("\r\n");
}
