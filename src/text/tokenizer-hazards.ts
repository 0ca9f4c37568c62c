/**
 * What in a tokenizer.json ends the process. The Rust library panics, and with it Node, at a few contents that its parser lets pass; each was
 * found in its source (github.com/huggingface/tokenizers, 0.23) or by trying, and is looked for here before the library sees the file. Also
 * refused: steps that multiply a text's length until no memory holds it, and expressions whose matching takes for ever
 * (docs/decisions/055-hostile-model-folders.md).
 */
import { charsmapProblem } from "./charsmap-hazards.js";

/** More than any published tokenizer has. */
const mostComponents = 64;
const deepest = 24;
/** How many times as long a text may become; published ones stay below 8. */
const mostGrowth = 1024;

type Fields = Record<string, unknown>;

/** What makes a tokenizer's definition dangerous, in a few words, or undefined. */
export function tokenizerHazard(definition: Fields): string | undefined {
  const walk: Walk = { components: 0, growth: 1, templates: 0, problem: undefined };
  for (const part of ["normalizer", "pre_tokenizer", "post_processor", "decoder"]) {
    walk.growth = 1;
    const component = definition[part];
    if (component !== undefined && component !== null) visit(component, walk, 0);
  }
  return walk.problem ?? modelProblem(definition["model"]);
}

interface Walk {
  components: number;
  growth: number;
  templates: number;
  problem: string | undefined;
}

const listsOfComponents = ["normalizers", "pretokenizers", "processors", "decoders"];

/** A component and those in it. The library also reads a list as a component, its fields in their order: that form is not looked into. */
function visit(value: unknown, walk: Walk, depth: number): void {
  if (walk.problem !== undefined) return;
  if (!isObject(value)) {
    walk.problem = "a component that is not an object";
    return;
  }
  if (depth > deepest) walk.problem = "components nested too deep";
  if (++walk.components > mostComponents) walk.problem = "too many components";
  walk.growth *= growthOf(value);
  if (walk.growth > mostGrowth) walk.problem ??= "normalization that makes a text too long";
  walk.problem ??= componentProblem(value, walk);
  for (const list of listsOfComponents) {
    const inner = value[list];
    if (Array.isArray(inner)) for (const item of inner) visit(item, walk, depth + 1);
  }
}

function componentProblem(component: Fields, walk: Walk): string | undefined {
  const { type, pattern } = component;
  if (type === "Precompiled" || "precompiled_charsmap" in component) return charsmapProblem(component["precompiled_charsmap"]);
  if ((type === "FixedLength" || type === undefined) && component["length"] === 0) return "pieces of length 0";
  if (component["prepend"] === "") return "an empty text before every other";
  if (type === "TemplateProcessing" || "special_tokens" in component) {
    return ++walk.templates > 1 ? "two templates" : templateProblem(component);
  }
  if (isObject(pattern) && typeof pattern["Regex"] === "string") return expressionProblem(pattern["Regex"]);
  return undefined;
}

/** How many times as long a component may make a text. */
function growthOf({ type, content, prepend }: Fields): number {
  if (typeof content === "string" && type !== "Strip") return Math.max(1, content.length);
  if (typeof prepend === "string") return 1 + prepend.length;
  return type === "ByteLevel" ? 2 : 1;
}

/** A template may name only tokens that it defines, and `single` only the first sequence. */
function templateProblem({ single, pair, special_tokens: tokens }: Fields): string | undefined {
  if (!isObject(tokens)) return "a template without special_tokens";
  for (const token of Object.values(tokens)) {
    const { ids, tokens: texts } = isObject(token) ? token : {};
    if (!Array.isArray(ids) || !Array.isArray(texts) || ids.length !== texts.length) return "a special token whose ids are not those of its texts";
  }
  for (const [name, pieces] of [["single", single], ["pair", pair]] as const) {
    for (const piece of Array.isArray(pieces) ? (pieces as unknown[]) : [pieces]) {
      const { SpecialToken: special, Sequence: sequence } = isObject(piece) ? piece : {};
      if (!isObject(special) && !isObject(sequence)) return `a ${name} template of another form than {"Sequence": …} and {"SpecialToken": …}`;
      if (isObject(special) && !Object.hasOwn(tokens, String(special["id"]))) return "a template with a token that it does not define";
      if (name === "single" && isObject(sequence) && sequence["id"] !== "A") return "a single template with a second sequence";
    }
  }
  return undefined;
}

/**
 * Oniguruma gives up a match after ten million steps, and the library then ends the process: repetitions in a repetition get there with
 * forty letters. Whether an expression can at all is not decided here; the tokenizers of published models repeat single characters and
 * classes only.
 */
function expressionProblem(expression: string): string | undefined {
  if (expression.length > 10_000) return "an expression that is too long";
  const bare = expression
    .replace(/\\[pP]\{[^}]*\}|\\x\{[^}]*\}/g, "x")
    .replace(/\\[1-9]|\\[gk][<']/g, "\u0001")
    .replace(/\\./gs, "x")
    .replace(/\[(?:\^?\])?[^\]]*\]/g, "x");
  if (bare.includes("\u0001")) return "an expression that refers to itself";
  if (/\{\d{4,}|\{\d*,\d{4,}/.test(bare)) return "an expression with too many repetitions";
  const open: boolean[] = []; // of each group around here, whether something in it repeats or branches
  for (let at = 0; at < bare.length; at++) {
    if (bare[at] === "(") open.push(false);
    else if (bare[at] === "|" || isRepetition(bare, at)) open.fill(true);
    else if (bare[at] === ")") {
      const varies = open.pop() ?? false;
      if (varies && isRepetition(bare, at + 1)) return "an expression with a repetition in a repetition";
    }
  }
  return undefined;
}

function isRepetition(expression: string, at: number): boolean {
  return expression[at] === "*" || expression[at] === "+" || /^\{\d*,?\d*\}/.test(expression.slice(at, at + 10));
}

/** A merge of BPE must make a token of the vocabulary; the library finds out by writing into a buffer as long as the longest of these. */
function modelProblem(model: unknown): string | undefined {
  if (!isObject(model)) return "a model that is not an object";
  if (!isObject(model["vocab"]) || !Array.isArray(model["merges"])) return undefined;
  const { vocab, merges, continuing_subword_prefix: given } = model;
  const prefix = typeof given === "string" ? given : "";
  for (const merge of merges as unknown[]) {
    const [first, second, more] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? (merge as unknown[]) : [];
    if (typeof first !== "string" || typeof second !== "string" || more !== undefined) continue; // the library says so itself
    if (!second.startsWith(prefix)) return "a merge whose second part lacks the prefix";
    if (!Object.hasOwn(vocab as Fields, first + second.slice(prefix.length))) return "a merge that makes no token of the vocabulary";
  }
  return undefined;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
