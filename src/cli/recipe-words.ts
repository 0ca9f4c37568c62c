/**
 * The words behind `lectern train` and its like: a recipe's file, and settings as `key=value` or, as other programs have them, `--key value`,
 * `--key=value` and `--switch`, with hyphens or underscores.
 */
import type { Command } from "commander";
import { LecternError } from "../errors.js";
import { nearest } from "../text/nearest.js";
import { foreignKey, foreignKeys } from "../train/recipe-aliases.js";
import { recipeKeys } from "../train/recipe-keys.js";
import { takes } from "../train/recipe-translation.js";

const keysOfRecipe = new Set(recipeKeys.map(({ name }) => name));
const keys = [...keysOfRecipe, ...Object.keys(foreignKeys)];

/**
 * Settings as overrides, and what else there is.
 * @param verb named in errors
 * @param options the verb's own, such as --json: what a misspelt one may have been meant to be
 * @throws LecternError USAGE for an option that is neither one of the verb nor a setting
 */
export function readRecipeWords(words: readonly string[], verb: string, options: readonly string[] = []): { operands: string[]; overrides: string[] } {
  const [operands, overrides]: [string[], string[]] = [[], []];
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const [, name, given] = /^--([A-Za-z][\w.-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) {
      (isSetting(word) ? overrides : operands).push(word);
      continue;
    }
    const key = name.replaceAll("-", "_");
    if (!keys.includes(key)) throw unknown(word.replace(/=.*/s, ""), key, verb, options);
    overrides.push(`${key}=${given ?? valueOf(key, queue, word)}`);
  }
  return { operands, overrides };
}

/**
 * The recipe that is named first, and the settings of all words.
 * @throws LecternError USAGE
 */
export function recipeAndSettings(words: readonly string[], verb: Verb): { file: string; overrides: string[] } {
  const own = verb.options.flatMap(({ long }) => long ?? []);
  const { operands, overrides } = readRecipeWords(words, verb.name(), own);
  const [file, ...others] = operands;
  if (file === undefined) {
    throw new LecternError("USAGE", { message: "missing required argument 'recipe'", next: "Name a YAML file first, such as recipes/quickstart.yaml." });
  }
  return { file, overrides: [...others, ...overrides] };
}

/** What is asked of a commander's command here. */
type Verb = Pick<Command, "name" | "options">;

/** Takes the words behind an option that are its value: none behind a switch, several behind one that takes a list. */
function valueOf(key: string, queue: string[], option: string): string {
  const foreign = foreignKey(key);
  const target = foreign !== undefined && "of" in foreign ? foreign.of : key;
  const values: string[] = [];
  const isSwitch = takes(target, true) && !takes(target, "a text");
  const takesSeveral = takes(target, ["a", "b"]);
  const isValue = (word: string | undefined): boolean =>
    word !== undefined &&
    !word.startsWith("--") &&
    !/\.ya?ml$/i.test(word) &&
    (!isSetting(word) || (takes(target, word) && !takes(target, "a text"))) && // --columns question=Frage
    (!isSwitch || /^(true|false)$/i.test(word));
  while (isValue(queue[0]) && (values.length === 0 || takesSeveral)) values.push(queue.shift()!);
  if (values.length === 0 && !takes(target, true) && keysOfRecipe.has(target)) {
    throw new LecternError("USAGE", {
      message: `${option} has no value.`,
      expected: `${option} VALUE, or ${target}=VALUE`,
      next: `docs/recipes.md says what ${target} takes.`,
    });
  }
  if (values.length === 0) return "true";
  return values.length === 1 ? values[0] : JSON.stringify(values);
}

/** `key=value` with a key that may be one. */
function isSetting(word: string): boolean {
  return /^[A-Za-z_][\w.]*=/.test(word);
}

function unknown(option: string, key: string, verb: string, options: readonly string[]): LecternError {
  const similar = nearest(key, [...keys, ...options.map((own) => own.slice(2).replaceAll("-", "_"))]);
  const own = options.find((one) => one.slice(2).replaceAll("-", "_") === similar);
  return new LecternError("USAGE", {
    message: `unknown option '${option}'${similar === undefined ? "" : `\n(Did you mean ${own ?? `${similar}=VALUE`}?)`}`,
    next: `See npx lectern ${verb} --help.`,
  });
}
