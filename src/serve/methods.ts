/** The methods of each path, for requests that come with another one. */
import type { RouteOptions } from "fastify";
import type { App } from "./app.js";
import { HttpError } from "./http-error.js";

export interface RoutedMethods {
  /** The methods that the path of a URL has; none where there is no such path. */
  of(url: string): string[];
}

/** Collects the routes that are registered from now on. */
export function routedMethods(app: App): RoutedMethods {
  const byPath = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }: RouteOptions) => {
    const methods = byPath.get(url) ?? new Set();
    byPath.set(url, methods);
    for (const one of [method].flat()) methods.add(one);
  });
  return {
    of: (url) => {
      const path = url.replace(/[?#].*$/, "");
      const fits = (route: string): boolean => (route.endsWith("*") ? path.startsWith(route.slice(0, -1)) : path === route);
      const fitting = [...byPath].filter(([route]) => fits(route)).map(([, methods]) => methods);
      return [...new Set(fitting.flatMap((methods) => [...methods]))].sort();
    },
  };
}

/** Why a request has no route. */
export function notRouted(methods: readonly string[]): HttpError {
  if (methods.length === 0) return new HttpError("NOT_FOUND", "There is nothing under this path. The paths are listed at /docs.");
  return new HttpError("METHOD_NOT_ALLOWED", `This path is asked with ${methods.join(" or ")}.`, { allow: [...methods] });
}
