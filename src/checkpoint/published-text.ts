/**
 * What of a model folder's texts others get to see: the paths of this machine that recipes, reports and cards name are reduced to their last part,
 * and a card names as its base model and data sets only what the hub can have.
 */
import path from "node:path";
import { type Document, isMap, isScalar, isSeq, parseDocument, stringify, visit } from "yaml";
import { LecternError } from "../errors.js";
import { isRepositoryName } from "./hub-names.js";

/** Texts that may name paths of the machine that wrote them. */
export function mayNamePaths(name: string): boolean {
  return /(^|\/)(README\.md|recipe\.yaml|config\.json|adapter_config\.json|tokenizer_config\.json|\w+_results\.json|trainer_state\.json|export_report\.json)$/.test(name);
}

/**
 * The text as it is published; the same one where there is nothing to change.
 * @throws LecternError HUB_REFUSED where a card's front matter is not YAML, which the hub does not take
 * @example
 * publishedText("recipe.yaml", "train_files: [/home/ada/dev.json]"); // train_files: [ dev.json ]
 */
export function publishedText(name: string, text: string): string {
  if (/(^|\/)README\.md$/.test(name)) return publishedCard(text);
  if (name.endsWith(".yaml")) return publishedYaml(parseDocument(text), text);
  return text.replace(/"(?:[^"\\\n]|\\.)*"/g, (literal) => {
    const value = stringOf(literal);
    return value !== undefined && isLocalPath(value) ? JSON.stringify(lastPart(value)) : literal;
  });
}

/** An absolute path, of any system. */
function isLocalPath(text: string): boolean {
  return /^(\/[^/\s][^/]*\/.|[A-Za-z]:[\\/].|\\\\.|~[\\/].|file:\/\/.)/.test(text) && !text.includes("\n");
}

/** What others get to see of a path: its last part. */
export function lastPart(file: string): string {
  return path.win32.basename(file); // takes both kinds of slashes
}

function stringOf(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}

function publishedYaml(document: Document, original: string): string {
  return withoutPaths(document) ? document.toString({ lineWidth: 0 }) : original;
}

/** @returns whether there was one */
function withoutPaths(document: Document): boolean {
  let changed = false;
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value !== "string" || !isLocalPath(scalar.value)) return;
      scalar.value = lastPart(scalar.value);
      changed = true;
    },
  });
  return changed;
}

function publishedCard(text: string): string {
  const [, open, matter, rest] = /^(---\r?\n)([\s\S]*?)(\r?\n---(?:\r?\n[\s\S]*)?)$/.exec(text) ?? [undefined, "", "", text];
  const body = rest.replace(/`([^`\n]+)`/g, (whole, code: string) => (isLocalPath(code) ? `\`${lastPart(code)}\`` : whole));
  if (open === "") return body;
  const document = parseDocument(matter);
  const [error] = document.errors;
  if (error !== undefined || !isMap(document.contents)) {
    throw new LecternError("HUB_REFUSED", {
      message: "The front matter of README.md is not a YAML mapping; the hub takes no such card.",
      expected: "key: value between two lines of ---",
      received: error?.message.split("\n")[0] ?? matter.slice(0, 80),
      next: "Correct it, or remove README.md: a card is then written.",
    });
  }
  const named = withoutForeignNames(document);
  return `${open}${withoutPaths(document) || named ? document.toString({ lineWidth: 0 }).trimEnd() : matter}${body}`;
}

/**
 * The card of a folder that has none.
 * @param architectures as config.json names them
 */
export function bareCard(name: string, architectures: unknown): string {
  const answers = Array.isArray(architectures) && architectures.some((one) => typeof one === "string" && one.endsWith("ForQuestionAnswering"));
  const fields = { library_name: "transformers", ...(answers && { pipeline_tag: "question-answering" }), tags: ["lectern"] };
  return `---\n${stringify(fields)}---\n\n# ${name}\n`;
}

/** Takes out of `base_model` and `datasets` what is no name on the hub: it refuses a card that names a path there. */
function withoutForeignNames(document: Document): boolean {
  let changed = false;
  for (const key of ["base_model", "datasets"]) {
    const value = document.get(key, true);
    const isNamed = (node: unknown): boolean => isScalar(node) && typeof node.value === "string" && isRepositoryName(node.value);
    if (isSeq(value)) {
      const before = value.items.length;
      value.items = value.items.filter(isNamed);
      if (value.items.length === before) continue;
      if (value.items.length === 0) document.delete(key);
    } else if (value === undefined || isNamed(value)) continue;
    else document.delete(key);
    changed = true;
  }
  return changed;
}
