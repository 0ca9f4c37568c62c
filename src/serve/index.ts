/**
 * Question answering over HTTP, as `lectern serve` does it: `lectern/serve`.
 *
 * @example
 * import { createServer } from "lectern/serve";
 * const server = await createServer({ models: { reader: "runs/quickstart" } });
 */
export { createServer, type Server } from "./server.js";
export { type LogLevel, type ServerOptions, serverDefaults } from "./options.js";
export { type HttpErrorCode, httpErrors } from "./http-error.js";
