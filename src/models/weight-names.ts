/**
 * Which tensor of a checkpoint each parameter of a network is. Checkpoints hold the encoder under a path: the architecture's (`bert.`), none
 * (the bare encoder), or either behind a wrapper's (`module.` of DataParallel, `_orig_mod.` of torch.compile, `model.` of Lightning, the name
 * of an attribute). No list of wrappers could be whole, and `model.` is a wrapper's name in one checkpoint and the architecture's own in the
 * next: so the path is the one under which most of the encoder is found.
 */
import { LecternError } from "../errors.js";
import { models } from "./index.js";

/** What of a network and of a checkpoint belongs together. */
export interface WeightMatch {
  /** Names of parameters → names of tensors, without the parameters that the checkpoint lacks. */
  readonly tensors: ReadonlyMap<string, string>;
  /** Paths before names of the checkpoint that are neither the architecture's nor none: `module.`, `reader.bert.`. */
  readonly wrappers: readonly string[];
}

/** Levels that a wrapper's path may have. */
const deepestWrapper = 8;

/**
 * @param parameters names as full models of the architecture have them
 * @param prefix path under which full models hold the encoder (`bert.`); parameters outside it are a head's, which may be missing
 * @throws LecternError WEIGHTS_UNMATCHED where the checkpoint lacks a part of the encoder, or holds it in two places
 */
export function matchWeights(parameters: Iterable<string>, available: readonly string[], prefix: string): WeightMatch {
  const names = [...parameters];
  const encoder = names.filter((name) => name.startsWith(prefix));
  const path = encoderPath(encoder, available, prefix);
  const isOwn = path === prefix || path === "";
  const paths = isOwn ? [prefix, ""] : [path]; // of a checkpoint without wrapper, some names may have the prefix and some not
  const held = new Set(available);
  const tensors = new Map<string, string>();
  for (const name of encoder) {
    const candidates = spellings(name.slice(prefix.length)).flatMap((spelling) => paths.map((each) => each + spelling));
    const tensor = candidates.find((candidate) => held.has(candidate));
    if (tensor !== undefined) tensors.set(name, tensor);
  }
  const missing = encoder.filter((name) => !tensors.has(name));
  if (missing.length > 0) throw unmatched(missing, encoder, available);
  const wrappers = new Set(isOwn ? [] : [path.endsWith(prefix) ? path.slice(0, -prefix.length) : path]);
  for (const name of names.filter((each) => !each.startsWith(prefix))) {
    const found = headTensor(name, available, path);
    if (found === undefined) continue;
    tensors.set(name, found.tensor);
    if (found.path !== "") wrappers.add(found.path);
  }
  return { tensors, wrappers: [...wrappers] };
}

/** The names that checkpoints have for a parameter: old ones call a norm's gamma and beta. */
function spellings(name: string): string[] {
  const old = name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta");
  return old === name ? [name] : [name, old];
}

/** The path before the encoder's bare names in the checkpoint: a wrapper's only where more is found under it than without one. */
function encoderPath(encoder: readonly string[], available: readonly string[], prefix: string): string {
  const parameters = new Map(encoder.flatMap((name) => spellings(name.slice(prefix.length)).map((spelling) => [spelling, name] as const)));
  const under = new Map<string, Set<string>>();
  const own = new Set<string>();
  for (const tensor of available) {
    let from = 0;
    for (let level = 0; level <= deepestWrapper; level++) {
      const parameter = parameters.get(tensor.slice(from));
      const path = tensor.slice(0, from);
      if (parameter !== undefined) {
        if (!under.has(path)) under.set(path, path === prefix || path === "" ? own : new Set());
        under.get(path)!.add(parameter);
      }
      from = tensor.indexOf(".", from) + 1;
      if (from === 0) break;
    }
  }
  const most = Math.max(0, ...[...under.values()].map(({ size }) => size));
  if (own.size === most) return prefix;
  const best = [...under.keys()].filter((path) => under.get(path)!.size === most);
  if (best.length > 1) throw ambiguous(best);
  const foreign = otherArchitecture(best[0], prefix);
  if (foreign !== undefined) throw unmatched(encoder, encoder, available, foreign);
  return best[0];
}

/**
 * The architecture that a path names, where it is not this one: the names of BERT's and RoBERTa's parameters are the same, but not what is
 * computed with them.
 */
function otherArchitecture(path: string, prefix: string): string | undefined {
  if (path.endsWith(`.${prefix}`)) return undefined;
  const last = path.split(".").at(-2);
  return models.map(({ type }) => type).find((type) => type === last || type.replace(/-v\d+$/, "") === last);
}

/** A head's tensor: beside the encoder, or in what holds it, the nearest first; else the only one of its name. */
function headTensor(name: string, available: readonly string[], encoder: string): { tensor: string; path: string } | undefined {
  for (const spelling of spellings(name)) {
    const found = available
      .filter((tensor) => tensor === spelling || tensor.endsWith(`.${spelling}`))
      .map((tensor) => ({ tensor, path: tensor.slice(0, -spelling.length) }))
      .sort((a, b) => b.path.length - a.path.length);
    const chosen = found.find(({ path }) => encoder.startsWith(path)) ?? (found.length === 1 ? found[0] : undefined);
    if (chosen !== undefined) return chosen;
  }
  return undefined;
}

function unmatched(missing: readonly string[], encoder: readonly string[], available: readonly string[], foreign?: string): LecternError {
  const none = missing.length === encoder.length;
  return new LecternError("WEIGHTS_UNMATCHED", {
    message: none
      ? "The checkpoint holds no weight of the encoder that config.json describes."
      : `The checkpoint lacks ${missing.length} of the ${encoder.length} weights of the encoder that config.json describes.`,
    expected: some(missing),
    received: available.length === 0 ? "no tensors" : some(available),
    next:
      foreign !== undefined
        ? `Correct model_type in config.json, if the weights are those of a model of type ${foreign}.`
        : `Check that config.json (${none ? "model_type" : "model_type, the number of layers"}) and the weights belong to the same model, or copy both again.`,
  });
}

function ambiguous(paths: readonly string[]): LecternError {
  return new LecternError("WEIGHTS_UNMATCHED", {
    message: "The checkpoint holds the encoder more than once.",
    expected: "one encoder",
    received: `one under each of ${some(paths)}`,
    next: "Save the part that should be used as a model of its own.",
  });
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 4).map((name) => (name.length > 120 ? `${name.slice(0, 120)}…` : name));
  return shown.join(", ") + (names.length > 4 ? ` and ${names.length - 4} more` : "");
}
