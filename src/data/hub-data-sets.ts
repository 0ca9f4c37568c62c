/**
 * Data sets of the Hugging Face Hub by name: `hub:ORGANISATION/NAME[@REVISION][:CONFIGURATION][:SPLIT]`. Files that the repository itself has
 * come first, then those that the hub has converted to parquet (branch refs/convert/parquet). They are brought into the cache that Python uses
 * too, as models are, and a split is seen there only when all its files have come. What a commit consists of is noted beside Python's
 * folders, as listings/COMMIT.json, so that without the network the same name means the same split.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { writeFileAtomic } from "../checkpoint/atomic.js";
import {
  cachedCommit,
  cacheFolder,
  type HubRepository,
  hubSettings,
  type HubSettings,
  isCommit,
  linkBlob,
  saveReference,
  snapshotFolder,
} from "../checkpoint/hub-cache.js";
import { downloadBlob, type DownloadProgress } from "../checkpoint/hub-download.js";
import { type Listing, listFiles } from "../checkpoint/hub-listing.js";
import { parseRepositoryName } from "../checkpoint/hub-names.js";
import type { HubContext } from "../checkpoint/hub-request.js";
import { LecternError } from "../errors.js";
import { convertedBranch, convertedLayout, dataFiles, type HubConfiguration, type HubSplit, namedLayout, readmeLayout } from "./hub-layout.js";

/** What a name on the hub came to mean. */
export interface HubSplitRead {
  /** As it was written. */
  source: string;
  commit: string;
  configuration: string;
  split: string;
  /** The files in the cache. */
  files: string[];
  isPartial: boolean;
}

export interface BringOptions {
  /** Which split is meant where none is named. */
  role: "train" | "evaluation";
  onProgress?: DownloadProgress;
  signal?: AbortSignal;
  /** Default: from the environment (HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE). */
  settings?: HubSettings;
}

export function isHubSource(name: string): boolean {
  return name.startsWith("hub:");
}

/** ORGANISATION/NAME of a data set on the hub that a source names; undefined for other sources. */
export function hubDataSet(source: string): string | undefined {
  return isHubSource(source) ? parseRepositoryName("dataset", source.slice("hub:".length).split(":")[0])?.name : undefined;
}

/**
 * Brings one split into the cache; what is there already is not fetched again.
 * @throws LecternError HUB_NAME, HUB_SPLIT, HUB_NO_DATA, HUB_OFFLINE, HUB_UNREACHABLE, HUB_NOT_FOUND, HUB_UNAUTHORIZED, HUB_FORBIDDEN,
 *   HUB_CHECKSUM, DISK_FULL, FILE_NOT_WRITABLE
 * @example const { files } = await bringHubSplit("hub:rajpurkar/squad:validation", { role: "evaluation" });
 */
export async function bringHubSplit(source: string, options: BringOptions): Promise<HubSplitRead> {
  const { words, contents } = await openSource(source, options);
  const configuration = chooseConfiguration(source, contents.layout, words);
  return bring(source, contents, configuration, chooseSplit(source, contents.layout, configuration, words, options.role), options);
}

/** Brings the split that is named, or all of the configuration where none is. Throws as `bringHubSplit`. */
export async function bringHubSplits(source: string, options: Omit<BringOptions, "role">): Promise<HubSplitRead[]> {
  const { words, contents } = await openSource(source, options);
  const configuration = chooseConfiguration(source, contents.layout, words);
  const isNamed = splitWord(configuration, words) !== undefined;
  const splits = isNamed ? [chooseSplit(source, contents.layout, configuration, words, "train")] : configuration.splits;
  const brought: HubSplitRead[] = [];
  for (const split of splits) brought.push(await bring(source, contents, configuration, split, options));
  return brought;
}

/** A commit of a data set, and what its files are. */
interface Contents {
  context: HubContext;
  commit: string;
  layout: HubConfiguration[];
}

async function openSource(source: string, { settings = hubSettings(), signal, onProgress }: Omit<BringOptions, "role">) {
  const [name, ...words] = source.slice("hub:".length).split(":");
  const repository = parseRepositoryName("dataset", name);
  if (!repository || words.length > 2 || words.includes("")) {
    throw new LecternError("HUB_NAME", {
      message: `${JSON.stringify(source)} does not name data on the hub.`,
      expected: "hub:ORGANISATION/NAME, hub:ORGANISATION/NAME:SPLIT or hub:ORGANISATION/NAME:CONFIGURATION:SPLIT, with @REVISION after the name",
      next: "Copy the name from the top of the data set's page.",
    });
  }
  const context: HubContext = { settings, repository, signal };
  return { words, contents: await readContents(context, name.includes("@"), onProgress) };
}

async function readContents(context: HubContext, isRevisionNamed: boolean, onProgress?: DownloadProgress): Promise<Contents> {
  const { repository } = context;
  const own = await listingOf(context).catch((error: unknown) => {
    // Python may have brought the converted files alone.
    if (!isRevisionNamed && error instanceof LecternError && error.code === "HUB_OFFLINE") return error;
    throw error;
  });
  if (!(own instanceof LecternError)) {
    const layout = repository.revision === convertedBranch ? convertedLayout(own.files) : await ownLayout(context, own, onProgress);
    if (layout.length > 0) return { context, commit: own.commit, layout };
  }
  if (!isRevisionNamed) {
    const converted = { ...context, repository: { ...repository, revision: convertedBranch } };
    const listing = await listingOf(converted).catch((error: unknown) => {
      if (error instanceof LecternError && ["HUB_NOT_FOUND", "HUB_OFFLINE"].includes(error.code)) return undefined;
      throw error;
    });
    const layout = convertedLayout(listing?.files ?? []);
    if (listing && layout.length > 0) return { context: converted, commit: listing.commit, layout };
  }
  if (own instanceof LecternError) throw own;
  const rest = dataFiles(own.files);
  if (rest.length === 0) throw noData(repository, own.files);
  return { context, commit: own.commit, layout: [oneConfiguration([{ name: "train", files: rest, isPartial: false }])] };
}

/** What the repository's own files say by the README or by their names; none where a program of its own makes its rows. */
async function ownLayout(context: HubContext, listing: Listing, onProgress?: DownloadProgress): Promise<HubConfiguration[]> {
  if (dataFiles(listing.files).length === 0) return [];
  const [readme] = listing.files.includes("README.md") ? await bringFiles(context, listing.commit, ["README.md"], onProgress) : [];
  const stated = readme === undefined ? [] : readmeLayout(readFileSync(readme, "utf8"), listing.files);
  if (stated.length > 0) return stated;
  const [program] = [`${context.repository.name.split("/").at(-1)}.py`].filter((name) => listing.files.includes(name));
  const files = dataFiles(listing.files).filter((file) => program === undefined || file.endsWith(".parquet"));
  const parquet = files.filter((file) => file.endsWith(".parquet"));
  const splits = namedLayout(parquet.length > 0 ? parquet : files);
  return splits.length > 0 ? [oneConfiguration(splits)] : [];
}

function oneConfiguration(splits: HubSplit[]): HubConfiguration {
  return { name: "default", isDefault: true, splits };
}

/** The files of a revision: from the hub, or as they were when it was last asked. */
async function listingOf(context: HubContext): Promise<Listing> {
  const { settings, repository } = context;
  const known = cachedListing(settings, repository);
  if (known && (settings.offline || isCommit(repository.revision))) return known;
  if (settings.offline) throw notInCache(context, `${repository.name} (${repository.revision})`);
  try {
    const listing = await listFiles(context, known && 1);
    await writeFileAtomic(listingFile(settings, repository, listing.commit), JSON.stringify(listing.files));
    await saveReference(settings, repository, listing.commit);
    return listing;
  } catch (error) {
    if (known && error instanceof LecternError && error.code === "HUB_UNREACHABLE") return known;
    throw error;
  }
}

function listingFile(settings: HubSettings, repository: HubRepository, commit: string): string {
  return path.join(cacheFolder(settings, repository), "listings", `${commit}.json`);
}

function cachedListing(settings: HubSettings, repository: HubRepository): Listing | undefined {
  const commit = cachedCommit(settings, repository);
  if (commit === undefined) return undefined;
  try {
    const files: unknown = JSON.parse(readFileSync(listingFile(settings, repository, commit), "utf8"));
    if (Array.isArray(files) && files.every((file) => typeof file === "string")) return { commit, files };
  } catch {
    // Python brought it, which keeps no listing.
  }
  if (!settings.offline) return undefined;
  const folder = snapshotFolder(settings, repository, commit);
  if (!existsSync(folder)) return undefined;
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => file.split(path.sep).join("/"));
  return { commit, files: entries };
}

/** Files of a commit in the cache. Those that are missing come first as blobs, all of them, and only then under their names. */
async function bringFiles(context: HubContext, commit: string, files: string[], onProgress?: DownloadProgress): Promise<string[]> {
  const folder = snapshotFolder(context.settings, context.repository, commit);
  const places = files.map((file) => ({ file, place: path.join(folder, ...file.split("/")) }));
  const missing = places.filter(({ place }) => !existsSync(place));
  if (missing.length > 0 && context.settings.offline) throw notInCache(context, `${context.repository.name}/${missing[0].file}`);
  const blobs: { blob: string; place: string }[] = [];
  for (const { file, place } of missing) blobs.push({ place, blob: await downloadBlob(context, commit, file, onProgress) });
  for (const { blob, place } of blobs) await linkBlob(blob, place);
  return places.map(({ place }) => place);
}

async function bring(
  source: string,
  { context, commit }: Contents,
  configuration: HubConfiguration,
  { name, files, isPartial }: HubSplit,
  { onProgress }: Pick<BringOptions, "onProgress">,
): Promise<HubSplitRead> {
  const brought = await bringFiles(context, commit, files, onProgress);
  return { source, commit, configuration: configuration.name, split: name, files: brought, isPartial };
}

/** Two words are configuration and split; one is a split, or a configuration where there is no split of that name. */
function chooseConfiguration(source: string, layout: HubConfiguration[], words: string[]): HubConfiguration {
  const usual = layout.find(({ isDefault }) => isDefault) ?? layout.find(({ name }) => name === "default") ?? (layout.length === 1 ? layout[0] : undefined);
  const [first] = words;
  if (words.length === 1 && usual?.splits.some(({ name }) => name === first)) return usual;
  const named = layout.find(({ name }) => name === first);
  if (named) return named;
  if (words.length === 0 && usual) return usual;
  if (words.length === 0) throw noSuchPart(source, layout, `${source} has ${layout.length} configurations, none of which is the usual one.`);
  throw noSuchPart(source, layout, `${source}: there is no ${words.length === 2 ? "configuration" : "split"} ${first}.`);
}

/** The word that names a split, once the configuration is known. */
function splitWord({ name, splits }: HubConfiguration, words: string[]): string | undefined {
  if (words.length === 2) return words[1];
  return words.find((word) => word !== name || splits.some((split) => split.name === word));
}

const namesOfRole = { train: ["train"], evaluation: ["validation", "valid", "val", "dev", "test"] };

function chooseSplit(
  source: string,
  layout: HubConfiguration[],
  configuration: HubConfiguration,
  words: string[],
  role: BringOptions["role"],
): HubSplit {
  const word = splitWord(configuration, words);
  const candidates = word === undefined ? namesOfRole[role] : [word];
  for (const candidate of candidates) {
    const split = configuration.splits.find(({ name }) => name === candidate);
    if (split) return split;
  }
  const what = word ?? (role === "train" ? "train" : "for evaluation (validation or test)");
  throw noSuchPart(source, layout, `${source}: configuration ${configuration.name} has no split ${what}.`);
}

function noSuchPart(source: string, layout: HubConfiguration[], message: string): LecternError {
  const shown = layout.slice(0, 20).map(({ name, splits }) => `${name} (${splits.map((split) => split.name).join(", ")})`);
  const [name] = source.slice("hub:".length).split(":");
  const [{ name: configuration, splits }] = layout;
  const split = splits.find((one) => one.name === "train") ?? splits[0];
  return new LecternError("HUB_SPLIT", {
    message,
    expected: `one of ${shown.join("; ")}${layout.length > shown.length ? "; …" : ""}`,
    next: `Name both: hub:${name}:${configuration}:${split.name}.`,
  });
}

function notInCache({ settings }: HubContext, what: string): LecternError {
  return new LecternError("HUB_OFFLINE", {
    message: `${what} is not in the cache, and HF_HUB_OFFLINE forbids asking the hub.`,
    expected: `a whole copy under ${settings.cache}`,
    next: "Unset HF_HUB_OFFLINE, or download the data first: lectern pull hub:NAME.",
  });
}

function noData({ name, revision }: HubRepository, files: string[]): LecternError {
  const shown = files.filter((file) => !/^\.|README\.md$/.test(file)).slice(0, 5);
  return new LecternError("HUB_NO_DATA", {
    message: `${name} (${revision}) has no file of data that is read, and no conversion to parquet.`,
    expected: "parquet, JSON, JSON lines, CSV or TSV",
    received: shown.length > 0 ? shown.join(", ") : "no files",
    next: "Download the data set with its own tools, write it in one of these forms, and name that file.",
  });
}
