/**
 * From what a recipe says to the keys and values of the schema: other names and values become ours (recipe-aliases.ts), what is without effect
 * is told, and numbers and truth values that stand in quotes are read. What cannot be taken comes back, for the errors that name its line.
 */
import { parse } from "yaml";
import type { z } from "zod";
import { asksForWhatIs, foreignKey, foreignValues } from "./recipe-aliases.js";
import { recipeSchema } from "./recipe.js";

export interface Translation {
  /** By the schema's names, and by names that are no keys. */
  values: Record<string, unknown>;
  /** The name that a key was written under. */
  writtenAs: Map<string, string>;
  /** Keys that were given under two names. */
  twice: { key: string; names: [string, string] }[];
  refused: { name: string; value: unknown; instead: string }[];
  /** What a person should hear. */
  notes: string[];
}

export function translate(written: Readonly<Record<string, unknown>>): Translation {
  const found: Omit<Translation, "values"> = { writtenAs: new Map(), twice: [], refused: [], notes: [] };
  const values = new Map<string, unknown>(); // a key __proto__ is a key like another here, and told as unknown
  const [renamed, idle]: [string[], string[]] = [[], []];
  const put = (key: string, name: string, value: unknown): void => {
    const before = found.writtenAs.get(key);
    if (before !== undefined) found.twice.push({ key, names: [before, name] });
    found.writtenAs.set(key, name);
    values.set(key, readValue(key, value));
  };
  for (const [name, value] of Object.entries(written)) {
    const foreign = Object.hasOwn(recipeSchema.shape, name) ? undefined : foreignKey(name);
    if (foreign === undefined) put(name, name, value);
    else if ("of" in foreign) {
      const read = unquoted(value);
      const meant = foreign.values?.find(([theirs]) => theirs === read);
      if (meant !== undefined && meant[1] === undefined) continue;
      put(foreign.of, name, meant === undefined ? value : meant[1]);
      renamed.push(`${name} as ${foreign.of}${meant === undefined ? "" : `: ${String(meant[1])}`}`);
    } else if ("because" in foreign) {
      if (saysSomething(value)) idle.push(`${name} (${foreign.because})`);
    } else if (foreign.onlyWith !== undefined && unquoted(written[foreign.onlyWith] ?? false) === false) {
      if (saysSomething(value)) idle.push(`${name} (it matters only to ${foreign.onlyWith})`);
    } else if (!asksForWhatIs(foreign, unquoted(value))) found.refused.push({ name, value, instead: foreign.instead });
  }
  if (renamed.length > 0) found.notes.push(`taken ${renamed.join(", ")}`);
  if (idle.length > 0) found.notes.push(`without effect: ${idle.join(", ")}`);
  return { ...found, values: Object.fromEntries(values) };
}

/** Whether the schema takes a value for a key. */
export function takes(key: string, value: unknown): boolean {
  return (
    Object.hasOwn(recipeSchema.shape, key) &&
    (recipeSchema.shape[key as keyof typeof recipeSchema.shape] as z.ZodType).safeParse(value).success
  );
}

/** transformers' values as ours, and what stands in quotes as what it is, where the key takes that. */
function readValue(key: string, value: unknown): unknown {
  const ours = Object.hasOwn(foreignValues, key) ? foreignValues[key as keyof typeof foreignValues]!(value) : value;
  if (takes(key, ours)) return ours;
  const read = unquoted(ours);
  return takes(key, read) ? read : ours;
}

/** "2e-5" as a number, "True" as true; other values as they are. */
function unquoted(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    const read: unknown = parse(value, { logLevel: "error" });
    return typeof read === "number" || typeof read === "boolean" ? read : value;
  } catch {
    return value;
  }
}

/** Arguments that are off by default in transformers, too, need no remark. */
function saysSomething(value: unknown): boolean {
  return !(
    value === null ||
    value === false ||
    value === 0 ||
    value === -1 ||
    value === "" ||
    (typeof value === "object" && Object.keys(value).length === 0)
  );
}
