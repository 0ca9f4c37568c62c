/** The OpenAPI document, made of the schemas that requests are checked by, and a page to try it at /docs. */
import { readFile } from "node:fs/promises";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { createJsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import type { App } from "./app.js";

type Document = ReturnType<typeof jsonSchemaTransformObject>;

/** Must be registered before the routes that it describes. */
export async function registerOpenApi(app: App, version: string, withKeys: boolean): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Lectern",
        description: "Questions answered from a text by extractive readers.",
        version,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      ...(withKeys && {
        components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
        security: [{ key: [] }],
      }),
    },
    transform: createJsonSchemaTransform({ skipList: [] }),
    transformObject: (document) => withUsedSchemas(jsonSchemaTransformObject(document)),
  });
  // its pages are static files and the document: they need no key
  app.addHook("onRoute", (route) => {
    if (route.url.startsWith("/docs")) route.config = { ...route.config, open: true };
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    theme: { title: "Lectern" },
    logo: { type: "image/svg+xml", content: await readFile(new URL("./page/icon.svg", import.meta.url)) },
    uiConfig: { deepLinking: false },
  });
  app.get("/openapi.json", { schema: { hide: true }, config: { open: true } }, async () => app.swagger());
}

/** Each named schema is made for requests and for replies; those that nothing refers to are left out. */
function withUsedSchemas(document: Document): Document {
  const { components = {}, ...rest } = document as { components?: { schemas?: Record<string, object> } };
  const all = components.schemas ?? {};
  const used = new Set<string>();
  const look = (text: string): void => {
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      look(JSON.stringify(all[name]));
    }
  };
  look(JSON.stringify(rest));
  const schemas = Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)));
  return { ...rest, components: { ...components, schemas } } as Document;
}
