/** What a model folder says of its own origin: the licence, base model and languages in the front matter of its README.md (a Hub model card). */
import { parse } from "yaml";
import { readContainedText } from "../files/plain-file.js";

export interface ModelOrigin {
  /** As the Hub writes licences: apache-2.0, mit, … */
  readonly license?: string;
  /** Hub name of the model that this one was made of. */
  readonly baseModel?: string;
  /** ISO 639 codes. */
  readonly languages?: readonly string[];
}

const longestCard = 4 * 2 ** 20;

/** The origin as far as the card tells it; a folder without a card, or with a broken one, tells nothing. */
export async function readModelOrigin(folder: string): Promise<ModelOrigin> {
  const matter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(cardText(folder))?.[1];
  if (matter === undefined) return {};
  let fields: unknown;
  try {
    fields = parse(matter);
  } catch {
    return {};
  }
  const { license, base_model: base, language } = (fields ?? {}) as Record<string, unknown>;
  const baseModel: unknown = Array.isArray(base) ? base[0] : base;
  const languages = [language].flat().filter((code): code is string => typeof code === "string");
  return {
    ...(typeof license === "string" && { license }),
    ...(typeof baseModel === "string" && { baseModel }),
    ...(languages.length > 0 && { languages }),
  };
}

function cardText(folder: string): string {
  try {
    return readContainedText(folder, "README.md", { what: "a model card", limit: longestCard });
  } catch {
    return "";
  }
}
