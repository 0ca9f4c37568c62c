/** The page at /: three files, read once when the server starts and named one by one, so that no path of a request reaches the disk. */
import { readFile } from "node:fs/promises";
import type { App } from "./app.js";

const folder = new URL("./page/", import.meta.url);
const files = [
  { path: "/", name: "index.html", type: "text/html; charset=utf-8" },
  { path: "/page.js", name: "page.js", type: "text/javascript; charset=utf-8" },
  { path: "/page.css", name: "page.css", type: "text/css; charset=utf-8" },
  { path: "/icon.svg", name: "icon.svg", type: "image/svg+xml" },
];
/** Only what this server sends is loaded, nothing inline runs, and no other page may frame this one. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

export async function registerPage(app: App): Promise<void> {
  for (const { path, name, type } of files) {
    const content = await readFile(new URL(name, folder));
    app.get(path, { schema: { hide: true }, config: { open: true } }, async (_request, reply) =>
      reply.headers({ "content-security-policy": contentSecurityPolicy, "cache-control": "no-cache" }).type(type).send(content),
    );
  }
}
