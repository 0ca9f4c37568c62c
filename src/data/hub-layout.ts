/**
 * Which files of a data set on the Hugging Face Hub make up which split of which configuration. In this order it is said by: `configs` in the
 * README (huggingface.co/docs/hub/datasets-manual-configuration); the folders CONFIGURATION/SPLIT of the branch that the hub converts to
 * parquet; words for splits in the files' names or folders (huggingface.co/docs/hub/datasets-file-names-and-splits).
 */
import { parse } from "yaml";
import { isPlainName } from "../files/plain-file.js";
import { matchesGlob } from "../files/path-glob.js";

/** The branch where the hub keeps what it converted to parquet. */
export const convertedBranch = "refs/convert/parquet";

export interface HubConfiguration {
  name: string;
  /** The README says that it is meant where none is named. */
  isDefault: boolean;
  splits: HubSplit[];
}

export interface HubSplit {
  name: string;
  /** Paths in the repository, in the order of their rows. */
  files: string[];
  /** The hub converted only the first gigabytes. */
  isPartial: boolean;
}

const readable = /\.(parquet|(jsonl|ndjson|json|csv|tsv)(\.gz)?)$/i;
/** JSON files that describe a data set, or tools, and hold no rows. */
const description = /(^|\/)(dataset_infos?|dataset_dict|state|package|package-lock|tsconfig|config|metadata|croissant)\.json$/;

/** The files that may hold rows, by paths that are safe to become parts of other paths. */
export function dataFiles(files: readonly string[]): string[] {
  return files
    .filter((file) => file.split("/").every((part) => isPlainName(part) && !part.startsWith(".")))
    .filter((file) => readable.test(file) && !description.test(file))
    .sort(byNumbers);
}

/** part-2 before part-10. */
function byNumbers(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

/** What the branch of conversions holds: CONFIGURATION/SPLIT/0000.parquet, or partial-SPLIT where a part was converted. */
export function convertedLayout(files: readonly string[]): HubConfiguration[] {
  const configurations = new Map<string, Map<string, HubSplit>>();
  for (const file of dataFiles(files)) {
    const [, configuration, folder] = /^([^/]+)\/([^/]+)\/[^/]+\.parquet$/.exec(file) ?? [];
    if (configuration === undefined) continue;
    const isPartial = folder.startsWith("partial-");
    const name = isPartial ? folder.slice("partial-".length) : folder;
    const splits = configurations.get(configuration) ?? new Map<string, HubSplit>();
    configurations.set(configuration, splits);
    const split = splits.get(name) ?? { name, files: [], isPartial };
    splits.set(name, split);
    split.files.push(file);
  }
  return [...configurations].map(([name, splits]) => ({ name, isDefault: false, splits: [...splits.values()] }));
}

/** What a README's `configs` say; none where it says nothing, or nothing that the repository's files fit. */
export function readmeLayout(readme: string, files: readonly string[]): HubConfiguration[] {
  const { configs } = frontMatter(readme);
  if (!Array.isArray(configs)) return [];
  const present = dataFiles(files);
  return configs.flatMap((entry: unknown) => {
    const { config_name: name, data_files: wanted, data_dir: folder, default: isDefault } = asObject(entry);
    const inside = typeof folder === "string" ? `${folder.replace(/^\.?\/+|\/+$/g, "")}/` : "";
    const splits =
      wanted === undefined
        ? namedLayout(present.filter((file) => file.startsWith(inside)))
        : [...patternsBySplit(wanted)].map(([split, patterns]) => ({
            name: split,
            files: patterns.flatMap((pattern) => present.filter((file) => matchesGlob(inside + pattern.replace(/^\.?\/+/, ""), file))),
            isPartial: false,
          }));
    const filled = splits.filter((split) => split.files.length > 0);
    return filled.length === 0 ? [] : [{ name: typeof name === "string" ? name : "default", isDefault: isDefault === true, splits: filled }];
  });
}

/** `data_files` as a pattern, a list of them, a mapping from splits, or a list of {split, path}. */
function patternsBySplit(wanted: unknown): Map<string, string[]> {
  const bySplit = new Map<string, string[]>();
  const add = (split: string, paths: unknown): void => {
    const patterns = (Array.isArray(paths) ? paths : [paths]).filter((path): path is string => typeof path === "string");
    bySplit.set(split, [...(bySplit.get(split) ?? []), ...patterns]);
  };
  if (typeof wanted === "string") add("train", wanted);
  else if (!Array.isArray(wanted)) for (const [split, paths] of Object.entries(asObject(wanted))) add(split, paths);
  else {
    for (const item of wanted as unknown[]) {
      const { split, path } = asObject(item);
      if (typeof item === "string") add("train", item);
      else if (typeof split === "string") add(split, path);
    }
  }
  return bySplit;
}

/** Words that stand for a split in the name of a file or folder. */
const splitWords: Readonly<Record<string, string>> = {
  train: "train",
  training: "train",
  validation: "validation",
  valid: "validation",
  val: "validation",
  dev: "validation",
  test: "test",
  testing: "test",
  eval: "test",
  evaluation: "test",
};

/** Splits by words in the names of files, or where those say nothing, in the names of folders. None where neither does. */
export function namedLayout(files: readonly string[]): HubSplit[] {
  const bySplit = new Map<string, string[]>();
  const add = (split: string | undefined, file: string): void => {
    if (split !== undefined) bySplit.set(split, [...(bySplit.get(split) ?? []), file]);
  };
  const wordIn = (text: string): string | undefined => {
    const word = text.toLowerCase().split(/[^a-z]+/).find((part) => Object.hasOwn(splitWords, part));
    return word === undefined ? undefined : splitWords[word];
  };
  for (const file of files) add(/([\w.]+)-\d{5}-of-\d{5}/.exec(baseName(file))?.[1] ?? wordIn(baseName(file)), file);
  if (bySplit.size === 0) for (const file of files) add(wordIn(file.slice(0, -baseName(file).length)), file);
  return [...bySplit].map(([name, members]) => ({ name, files: members, isPartial: false }));
}

function baseName(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1);
}

function frontMatter(readme: string): Record<string, unknown> {
  const [, text] = /^\ufeff?---\r?\n(.*?)\r?\n---/s.exec(readme) ?? [];
  if (text === undefined) return {};
  try {
    return asObject(parse(text));
  } catch {
    return {}; // a README with a slip in it says nothing of files
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
