/**
 * Reads a recipe: YAML, then the command line's overrides (`key=value`, dots for nested keys, the value in YAML), then other tools' names and
 * values, then the schema, then the contradictions. Every mistake is told with its line in the file, what was expected, what came, and the
 * nearest known key.
 */
import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { type Document, LineCounter, isNode, isMap, isScalar, parse, parseDocument, stringify } from "yaml";
import type { z } from "zod";
import { readPlainText } from "../files/plain-file.js";
import { type ErrorCode, LecternError } from "../errors.js";
import { describeValue } from "../text/describe-value.js";
import { nearest } from "../text/nearest.js";
import type { GivenSetting } from "./given-data.js";
import { findContradiction } from "./recipe-contradictions.js";
import { foreignKey, foreignKeys } from "./recipe-aliases.js";
import { recipeKeys } from "./recipe-keys.js";
import { takes, translate, type Translation } from "./recipe-translation.js";
import { type Recipe, recipeSchema, resolveRecipe } from "./recipe.js";

const longestRecipe = 2 ** 20;

export interface LoadOptions {
  /** Hears what was taken under another name, and what is without effect. */
  onNote?: (line: string) => void;
  /** Settings that a program gives by options; they win over the recipe's. */
  given?: readonly GivenSetting[];
}

/**
 * Loads a recipe file. Paths in it are relative to the folder the program runs in, or else to the file's own.
 *
 * @param overrides settings that win over the file's, e.g. `["learning_rate=1e-4", "eval_files=[dev.json]"]`.
 * @throws LecternError FILE_MISSING, FILE_NOT_READABLE, FILE_TOO_LARGE, RECIPE_SYNTAX, RECIPE_UNKNOWN_KEY, RECIPE_VALUE, RECIPE_UNSUPPORTED,
 *   RECIPE_CONTRADICTION, OVERRIDE_SYNTAX
 * @example
 * const recipe = await loadRecipe("recipes/quickstart.yaml", ["num_train_epochs=1"]);
 */
export async function loadRecipe(file: string, overrides: readonly string[] = [], options: LoadOptions = {}): Promise<Recipe> {
  const text = readPlainText(file, { what: "a recipe in YAML, such as those in recipes/", limit: longestRecipe });
  return parseRecipe(text, { file, overrides, ...options });
}

export interface ParseOptions extends LoadOptions {
  /** Names the recipe in errors and in the default output_dir; paths are tried beside it, too. */
  file: string;
  overrides?: readonly string[];
}

/** The same from the YAML text itself. */
export function parseRecipe(text: string, { file, overrides = [], given, onNote }: ParseOptions): Recipe {
  const source = new RecipeSource(text, file, given !== undefined);
  for (const override of overrides) source.override(override);
  const replaced = (given ?? []).flatMap((setting) => source.give(setting));
  const { values, notes } = source.translate();
  const parsed = recipeSchema.safeParse(values);
  const mistakes = [...source.misplaced(), ...(parsed.success ? [] : source.wrong(parsed.error.issues))];
  if (!parsed.success || mistakes.length > 0) throw source.error(mistakes);
  const recipe = source.placePaths(resolveRecipe(parsed.data, basename(file, extname(file))));
  const contradiction = findContradiction(recipe);
  if (contradiction) {
    const { key, reason, next } = contradiction;
    throw new LecternError("RECIPE_CONTRADICTION", { message: `${source.place([key])}: ${reason}`, next });
  }
  for (const note of [...notes, ...replaced]) onNote?.(`${file}: ${note}`);
  return recipe;
}

/** A resolved recipe as the YAML that is saved beside its results; loading it again gives the same recipe. */
export function recipeToYaml(recipe: Recipe): string {
  return stringify(recipe, { lineWidth: 0 });
}

/** The options of a program that stand for keys which have no default. */
const optionFor: Readonly<Record<string, string>> = { model: "model", train_files: "trainData" };
const namesOfKeys = recipeKeys.map((key) => key.name);
/** Keys that name files and folders which are there before the run. */
const pathKeys = ["model", "train_files", "eval_files", "resume_from_checkpoint"] as const;

/** The YAML document with its overrides, and where each value came from. */
class RecipeSource {
  private readonly document: Document;
  private readonly lines = new LineCounter();
  /** What took the place of a key's value: an override, or a program's option. */
  private readonly overridden = new Map<string, string>();
  private translation: Translation = translate({});

  constructor(
    text: string,
    private readonly file: string,
    /** Whether a program reads it, which can give settings by options. */
    private readonly hasOptions: boolean,
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
    if (isMap(this.document.contents)) for (const other of otherNamesOf(path[0])) this.document.delete(other); // an override wins, whatever name the file uses
    try {
      const raw = text.slice(at + 1);
      if (raw.trim() !== "") this.document.setIn(path, this.overrideValue(path, raw));
      else if (isMap(this.document.contents)) this.document.deleteIn(path);
    } catch (cause) {
      throw new LecternError(
        "OVERRIDE_SYNTAX",
        { message: `"${text}": ${path[0]} holds no settings of its own.`, next: "docs/recipes.md lists every key." },
        { cause },
      );
    }
    this.overridden.set(path[0], `override ${text}`);
  }

  /**
   * Takes what a program gives; a list that names it already stays as it is.
   * @returns what to tell of the recipe's own value that gives way
   */
  give({ key, by, value }: GivenSetting): string[] {
    const names = [key, ...otherNamesOf(key)];
    const override = names.map((name) => this.overridden.get(name)).find((text) => text !== undefined);
    if (override !== undefined) {
      throw new LecternError("RECIPE_CONTRADICTION", {
        message: `${this.file}: ${override} and the option ${by} both say what ${key} is.`,
        next: "Leave one of them out.",
      });
    }
    const plain = (this.plain() ?? {}) as Record<string, unknown>;
    const written = names.filter((name) => Object.hasOwn(plain, name));
    if (written.some((name) => [plain[name]].flat().includes(value))) return [];
    for (const name of written) this.document.delete(name);
    this.document.set(key, value);
    this.overridden.set(key, `option ${by}`);
    return written.filter((name) => plain[name] !== null).map((name) => `${name} gives way to the option ${by}`);
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
    return Object.hasOwn(recipeSchema.shape, key) && !takes(key, value) && takes(key, raw) ? raw : value;
  }

  /** The plain values under the schema's names. A key without a value counts as not given, and so does a null that means nothing to it. */
  translate(): Translation {
    const plain = (this.plain() ?? {}) as Record<string, unknown>;
    const given = Object.entries(plain).filter(([name, value]) => {
      if (value === "None") return false;
      return value !== null || (takes(foreignTarget(name), null) && !this.isEmpty(name));
    });
    this.translation = translate(Object.fromEntries(given));
    return this.translation;
  }

  /** Whether nothing stands behind a key; null and ~ are something. */
  private isEmpty(name: string): boolean {
    const node = this.document.get(name, true);
    return isScalar(node) && node.source === "";
  }

  /** Paths of the file that are not there, and are beside it. */
  placePaths(recipe: Recipe): Recipe {
    const folder = dirname(this.file);
    const placed = (path: string): string => (!existsSync(path) && existsSync(join(folder, path)) ? join(folder, path) : path);
    const changed = pathKeys.flatMap((key) => {
      const value = recipe[key];
      if (typeof value === "boolean" || this.overridden.has(this.writtenName(key))) return [];
      return [[key, typeof value === "string" ? placed(value) : value.map(placed)]];
    });
    return { ...recipe, ...(Object.fromEntries(changed) as Partial<Recipe>) };
  }

  private writtenName(key: string): string {
    return this.translation.writtenAs.get(key) ?? key;
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
  place([key, ...inner]: readonly PropertyKey[]): string {
    const path = [this.writtenName(String(key)), ...inner];
    const override = this.overridden.get(String(path[0]));
    if (override !== undefined) return override;
    const node = this.document.getIn(path, true) ?? this.document.getIn(path.slice(0, 1), true);
    const pair = isMap(this.document.contents)
      ? this.document.contents.items.find((item) => String(item.key) === String(path[0]))
      : undefined;
    const place = isNode(node) ? node : isNode(pair?.key) ? pair.key : undefined;
    return place?.range ? `${this.file}:${this.lines.linePos(place.range[0]).line}` : this.file;
  }

  error(mistakes: readonly Mistake[]): LecternError {
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

  /** What the translation could not take. */
  misplaced(): Mistake[] {
    const { refused, twice } = this.translation;
    return [
      ...refused.map(({ name, value, instead }) => ({
        code: "RECIPE_UNSUPPORTED" as const,
        place: this.place([name]),
        message: `${name}: ${shortly(value)} cannot be taken. ${instead}`,
        next: "docs/recipes.md says what becomes of each argument of transformers.",
      })),
      ...twice.map(({ key, names }) => ({
        code: "RECIPE_CONTRADICTION" as const,
        place: this.place([key]),
        message: `${names.join(" and ")} are two names of one setting, and both are given.`,
        next: `Keep one of them; here it is called ${key}.`,
      })),
    ];
  }

  /** What the schema does not take. */
  wrong(issues: readonly z.core.$ZodIssue[]): Mistake[] {
    return issues.flatMap((issue) => this.mistakesOf(issue));
  }

  private mistakesOf(issue: z.core.$ZodIssue): Mistake[] {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => this.unknownKey([...issue.path, key]));
    const name = String(issue.path[0]);
    const value = issue.path.reduce<unknown>(
      (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
      this.translation.values,
    );
    const key = recipeKeys.find((known) => known.name === name);
    return [
      {
        code: "RECIPE_VALUE",
        place: this.place(issue.path),
        message: value === undefined ? `${name} is missing.` : `${name} has a wrong value.`,
        expected: issue.code === "custom" ? `${key?.expected}: it ${issue.message}` : key?.expected,
        received: value === undefined ? "nothing" : describeValue(value),
        next: value === undefined && this.hasOptions && name in optionFor ? `${key?.description} Or give the option ${optionFor[name]}.` : key?.description,
      },
    ];
  }

  private unknownKey(path: PropertyKey[]): Mistake {
    const name = path.map(String).join(".");
    const outer = path.length > 1 ? recipeKeys.find((key) => key.name === path[0]) : undefined;
    if (outer !== undefined) {
      const message = `${outer.name} has no key ${String(path[1])}.`;
      return { code: "RECIPE_UNKNOWN_KEY", place: this.place(path), message, expected: outer.expected, received: name, next: outer.description };
    }
    const similar = nearest(name, namesOfKeys) ?? nearest(name, Object.keys(foreignKeys));
    return {
      code: "RECIPE_UNKNOWN_KEY",
      place: this.place(path),
      message: `${name} is not a key of a recipe.${similar === undefined ? "" : ` Did you mean ${similar}?`}`,
      next: similar === undefined ? "docs/recipes.md lists every key." : `Write ${similar}, or see docs/recipes.md for every key.`,
    };
  }
}

/** The key that a name is another name of, or the name itself. */
function foreignTarget(name: string): string {
  const foreign = Object.hasOwn(recipeSchema.shape, name) ? undefined : foreignKey(name);
  return foreign !== undefined && "of" in foreign ? foreign.of : name;
}

function otherNamesOf(name: string): string[] {
  const key = foreignTarget(name);
  return [key, ...Object.keys(foreignKeys).filter((other) => foreignTarget(other) === key)].filter((other) => other !== name);
}

function shortly(value: unknown): string {
  return JSON.stringify(value).slice(0, 60);
}

interface Mistake {
  code: ErrorCode;
  place: string;
  message: string;
  expected?: string;
  received?: string;
  next?: string;
}
