/**
 * The keys of a recipe in words, read off the schema: what each expects (for error messages), its default and its meaning (for the table in
 * docs/recipes.md), and the JSON schema that editors use.
 */
import { z } from "zod";
import { recipeSchema } from "./recipe.js";

/** The part of JSON Schema that the recipe's schema uses. */
interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  properties?: Record<string, JsonSchema>;
}

export interface RecipeKey {
  name: string;
  /** What the value must be, e.g. "a whole number, at least 1". */
  expected: string;
  /** As YAML shows it; undefined when the key has none. */
  default: unknown;
  description: string;
}

/** JSON Schema of a recipe (draft 2020-12), as published in recipes/recipe.schema.json. */
export function recipeJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(recipeSchema, { io: "input" }) as Record<string, unknown>;
  return { title: "Lectern recipe", ...schema };
}

/** Every key in the order of the schema. */
export const recipeKeys: readonly RecipeKey[] = Object.entries((recipeJsonSchema() as JsonSchema).properties!).map(([name, property]) => ({
  name,
  expected: inWords(property),
  default: property.default,
  description: property.description ?? "",
}));

function inWords(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(inWords).join(", or ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum) return schema.enum.length === 1 ? String(schema.enum[0]) : `one of ${schema.enum.join(", ")}`;
  switch (schema.type) {
    case "null":
      return "null";
    case "boolean":
      return "true or false";
    case "array":
      return `a list, each entry ${inWords(schema.items ?? {})}`;
    case "object":
      return `a mapping of ${Object.keys(schema.properties ?? {}).join(", ")}`;
    case "integer":
      return `a whole number${bounds(schema)}`;
    case "number":
      return `a number${bounds(schema)}`;
    default:
      return "a text";
  }
}

function bounds({ minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  const most = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (minimum !== undefined && most !== undefined) return ` from ${minimum} to ${most}`;
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}${most === undefined ? "" : `, at most ${most}`}`;
  if (minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER) return `, at least ${minimum}`;
  return "";
}
