/** Requests are checked by their Zod schemas; what is wrong is told by the place in the body, in words a client can show. */
import type { FastifySchemaCompiler } from "fastify";
import { safeParse, type $ZodIssue, type $ZodType } from "zod/v4/core";
import { HttpError } from "./http-error.js";

/** Fastify's validator for Zod schemas. */
export const validatorCompiler: FastifySchemaCompiler<$ZodType> =
  ({ schema }) =>
  (data) => {
    const result = safeParse(schema, data);
    return result.success ? { value: result.data } : { error: invalidRequest(result.error.issues) };
  };

function invalidRequest(issues: readonly $ZodIssue[]): HttpError {
  const details = issues.flatMap(flatten);
  const first = details.slice(0, 3).map(({ path, message }) => `${path === "" ? "The body" : path} ${message}`);
  return new HttpError("INVALID_REQUEST", `${first.join("; ")}.`, { details: details.slice(0, 20) });
}

/** The issues of a value that may have one of several forms are those of the form that it comes nearest to. */
function flatten(issue: $ZodIssue): { path: string; message: string }[] {
  const at = issue.path.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`)).join("");
  if (issue.code === "invalid_union") {
    const deepest = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0];
    if (deepest !== undefined && deepest.length > 0 && depth(deepest) > 0) {
      return deepest.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] } as $ZodIssue));
    }
    const refused = issue.errors.flat().find(({ code }) => code !== "invalid_type");
    return [{ path: at, message: refused?.message ?? issue.message }];
  }
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => ({ path: key.slice(0, 100), message: "is not a key of a request" }));
  return [{ path: at, message: issue.message }];
}

function depth(issues: readonly $ZodIssue[]): number {
  return issues.reduce((most, { path }) => Math.max(most, path.length), 0);
}
