/**
 * One thing has one name in all verbs, that of the recipe's key; names that it has in transformers' pipeline, in its scripts or had here
 * before are taken as well, and so are underscores. Options that no verb has are told with the nearest one, before anything else is missed.
 */
import { type Command, CommanderError } from "commander";
import { nearest } from "../text/nearest.js";

/** Names of one thing each; a verb has at most one of each line. */
const sameThing: readonly (readonly string[])[] = [
  ["model", "model-name-or-path"],
  ["data", "eval-files", "eval-file", "validation-file", "test-file", "predict-file"],
  ["revision", "model-revision"],
  ["max-length", "max-seq-length", "max-seq-len"],
  ["stride", "doc-stride"],
  ["max-question-length", "max-question-len", "max-query-length"],
  ["max-answer-length", "max-answer-len"],
  ["n-best-size", "n-best", "top-k"],
  ["batch-size", "per-device-eval-batch-size", "eval-batch-size"],
  ["max-samples", "max-eval-samples", "max-predict-samples", "limit"],
  ["version-2-with-negative", "handle-impossible-answer"],
  ["null-score-diff-threshold", "null-threshold", "threshold", "na-prob-thresh"],
  ["na-prob", "na-prob-file"],
  ["out", "output-dir", "out-dir"],
  ["threads", "num-threads"],
];

/** A command line with each option under the name that its verb has for it; values and what stands behind -- stay as they are. */
export function withUsualNames(words: readonly string[], verbs: readonly Command[]): string[] {
  const verb = verbs.find((command) => command.name() === words[0]);
  if (verb === undefined) return [...words];
  const end = words.indexOf("--");
  return words.map((word, index) => (end >= 0 && index >= end ? word : usualName(word, verb)));
}

function usualName(word: string, verb: Command): string {
  const [, name, value = ""] = /^--([A-Za-z][\w-]*)(=.*)?$/s.exec(word) ?? [];
  if (name === undefined) return word;
  const has = (long: string): boolean => verb.options.some((option) => option.long === `--${long}`);
  const hyphened = name.replaceAll("_", "-");
  const names = [name, hyphened, ...(sameThing.find((group) => group.includes(hyphened)) ?? [])];
  const known = names.find(has);
  return known === undefined ? word : `--${known}${value}`;
}

/**
 * The first option of a command line that its verb does not have, as the error that says so; commander would tell of a missing one first, which
 * is often the same one misspelt.
 */
export function unknownOption(words: readonly string[], verb: Command): CommanderError | undefined {
  const { unknown } = verb.parseOptions([...words]);
  const option = unknown.find((word) => /^--?[A-Za-z]/.test(word))?.replace(/=.*/s, "");
  if (option === undefined || option === "--help" || option === "-h") return undefined;
  const known = verb.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => (long ? [long] : []));
  const similar = nearest(option, known);
  return new CommanderError(
    1,
    "commander.unknownOption",
    `error: unknown option '${option}'${similar === undefined ? "" : `\n(Did you mean ${similar}?)`}`,
  );
}
