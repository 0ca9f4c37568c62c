/**
 * Reads a recipe: YAML, then the command line's overrides (`key=value`, dots for nested keys, the value in YAML), then the schema, then
 * the contradictions. Every mistake is told with its line in the file, what was expected, what came, and the nearest known key.
 */
import { basename, extname } from "node:path";
import { type Document, LineCounter, isNode, isMap, parse, parseDocument, stringify } from "yaml";
import type { z } from "zod";
import { readPlainText } from "../files/plain-file.js";
import { type ErrorCode, LecternError } from "../errors.js";
import { describeValue } from "../text/describe-value.js";
import { nearest } from "./nearest.js";
import { findContradiction } from "./recipe-contradictions.js";
import { recipeKeys } from "./recipe-keys.js";
import { type Recipe, recipeSchema, resolveRecipe } from "./recipe.js";

const longestRecipe = 2 ** 20;

/**
 * Loads a recipe file. Paths in it are relative to the folder the program runs in.
 *
 * @param overrides settings that win over the file's, e.g. `["learning_rate=1e-4", "eval_files=[dev.json]"]`.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, FILE_TOO_LARGE, RECIPE_SYNTAX, RECIPE_UNKNOWN_KEY, RECIPE_VALUE, RECIPE_CONTRADICTION, OVERRIDE_SYNTAX
 * @example
 * const recipe = await loadRecipe("recipes/quickstart.yaml", ["num_train_epochs=1"]);
 */
export async function loadRecipe(file: string, overrides: readonly string[] = []): Promise<Recipe> {
  const text = readPlainText(file, { what: "a recipe in YAML, such as those in recipes/", limit: longestRecipe });
  return parseRecipe(text, { file, overrides });
}

/** The same from the YAML text itself; `file` names it in errors and in the default output_dir. */
export function parseRecipe(text: string, { file, overrides = [] }: { file: string; overrides?: readonly string[] }): Recipe {
  const source = new RecipeSource(text, file);
  for (const override of overrides) source.override(override);
  const parsed = recipeSchema.safeParse(source.values());
  if (!parsed.success) throw source.mistakes(parsed.error.issues);
  const recipe = resolveRecipe(parsed.data, basename(file, extname(file)));
  const contradiction = findContradiction(recipe);
  if (contradiction) {
    const { key, reason, next } = contradiction;
    throw new LecternError("RECIPE_CONTRADICTION", { message: `${source.place([key])}: ${reason}`, next });
  }
  return recipe;
}

/** A resolved recipe as the YAML that is saved beside its results; loading it again gives the same recipe. */
export function recipeToYaml(recipe: Recipe): string {
  return stringify(recipe, { lineWidth: 0 });
}

const namesOfKeys = recipeKeys.map((key) => key.name);

/** The YAML document with its overrides, and where each value came from. */
class RecipeSource {
  private readonly document: Document;
  private readonly lines = new LineCounter();
  private readonly overridden = new Map<string, string>();

  constructor(
    text: string,
    private readonly file: string,
  ) {
    this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false, logLevel: "error" });
    const [error] = this.document.errors;
    if (error) {
      throw new LecternError("RECIPE_SYNTAX", {
        message: `${file}:${this.lines.linePos(error.pos[0]).line}: this is not YAML: ${error.message}`,
        next: "Write one `key: value` on a line; put texts with special characters in quotes.",
      });
    }
    if (this.document.contents !== null && !isMap(this.document.contents)) {
      throw new LecternError("RECIPE_SYNTAX", {
        message: `${file} is not a recipe.`,
        expected: "a mapping of keys to values, such as `model: distilbert-base-uncased`",
        received: describeValue(this.plain()),
        next: "Start from a file in recipes/.",
      });
    }
  }

  override(text: string): void {
    const at = text.indexOf("=");
    const key = text.slice(0, at).trim();
    if (at < 1 || key === "") {
      throw new LecternError("OVERRIDE_SYNTAX", {
        message: `"${text}" is not an override.`,
        expected: "key=value",
        received: text,
        next: "For example: learning_rate=1e-4 or eval_files=[a.json,b.json].",
      });
    }
    const path = key.split(".");
    try {
      this.document.setIn(path, this.overrideValue(path, text.slice(at + 1)));
    } catch (cause) {
      throw new LecternError(
        "OVERRIDE_SYNTAX",
        { message: `"${text}": ${path[0]} holds no settings of its own.`, next: "docs/recipes.md lists every key." },
        { cause },
      );
    }
    this.overridden.set(path[0], text);
  }

  /** YAML's reading of the value, or the bare text where only a text will do (revision=1234567). */
  private overrideValue(path: string[], raw: string): unknown {
    let value: unknown;
    try {
      value = parse(raw, { logLevel: "error" });
    } catch {
      return raw;
    }
    const key = path.join(".");
    if (!Object.hasOwn(recipeSchema.shape, key)) return value;
    const schema: z.ZodType = recipeSchema.shape[key as keyof typeof recipeSchema.shape];
    return !schema.safeParse(value).success && schema.safeParse(raw).success ? raw : value;
  }

  /** The plain values; a key without a value counts as not given. */
  values(): Record<string, unknown> {
    const plain = (this.plain() ?? {}) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== null));
  }

  private plain(): unknown {
    try {
      return this.document.toJS();
    } catch (cause) {
      throw new LecternError(
        "RECIPE_SYNTAX",
        { message: `${this.file}: ${(cause as Error).message}`, next: "Write the values out instead of using aliases." },
        { cause },
      );
    }
  }

  /** "recipe.yaml:12" or the override itself. */
  place(path: readonly PropertyKey[]): string {
    const override = this.overridden.get(String(path[0]));
    if (override !== undefined) return `override ${override}`;
    const node = this.document.getIn(path, true) ?? this.document.getIn(path.slice(0, 1), true);
    const pair = isMap(this.document.contents)
      ? this.document.contents.items.find((item) => String(item.key) === String(path[0]))
      : undefined;
    const place = isNode(node) ? node : isNode(pair?.key) ? pair.key : undefined;
    return place?.range ? `${this.file}:${this.lines.linePos(place.range[0]).line}` : this.file;
  }

  mistakes(issues: readonly z.core.$ZodIssue[]): LecternError {
    const mistakes = issues.flatMap((issue) => this.mistakesOf(issue));
    const [first] = mistakes;
    if (mistakes.length === 1) {
      const { place, message, expected, received, next } = first;
      return new LecternError(first.code, { message: `${place}: ${message}`, expected, received, next });
    }
    const lines = mistakes.map(({ place, message, expected, received }) => {
      const wanted = expected === undefined ? "" : ` Expected ${expected}; received ${received}.`;
      return `  ${place}: ${message}${wanted}`;
    });
    return new LecternError(first.code, {
      message: [`${this.file} has ${mistakes.length} mistakes:`, ...lines].join("\n"),
      next: "docs/recipes.md lists every key.",
    });
  }

  private mistakesOf(issue: z.core.$ZodIssue): Mistake[] {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => this.unknownKey([...issue.path, key]));
    const name = String(issue.path[0]);
    const value = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], this.values());
    const key = recipeKeys.find((known) => known.name === name);
    return [
      {
        code: "RECIPE_VALUE",
        place: this.place(issue.path),
        message: value === undefined ? `${name} is missing.` : `${name} has a wrong value.`,
        expected: issue.code === "custom" ? `${key?.expected}: it ${issue.message}` : key?.expected,
        received: value === undefined ? "nothing" : describeValue(value),
        next: key?.description,
      },
    ];
  }

  private unknownKey(path: PropertyKey[]): Mistake {
    const name = path.map(String).join(".");
    const similar = nearest(name, namesOfKeys);
    return {
      code: "RECIPE_UNKNOWN_KEY",
      place: this.place(path),
      message: `${name} is not a key of a recipe.${similar === undefined ? "" : ` Did you mean ${similar}?`}`,
      next: similar === undefined ? "docs/recipes.md lists every key." : `Write ${similar}, or see docs/recipes.md for every key.`,
    };
  }
}

interface Mistake {
  code: ErrorCode;
  place: string;
  message: string;
  expected?: string;
  received?: string;
  next?: string;
}
