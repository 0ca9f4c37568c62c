/** What a sweep varies: ranges and lists of values of a recipe's keys, and the points of the unit cube that become trials' settings. */
import { z } from "zod";
import { LecternError } from "../../errors.js";
import { randomGenerator } from "../../engine/random.js";
import { foreignKey } from "../recipe-aliases.js";
import { takes } from "../recipe-translation.js";
import { mostDimensions, sobolPoint } from "./sobol.js";

const value = z.union([z.number(), z.string(), z.boolean(), z.null()]);
const range = z
  .strictObject({ min: z.number(), max: z.number(), scale: z.enum(["linear", "log"]).default("linear") })
  .refine(({ min, max }) => min < max, { error: "min must be below max" })
  .refine(({ min, scale }) => scale === "linear" || min > 0, { error: "a logarithmic range begins above 0" });

export const parameterSchema = z.union([range, z.array(value).min(1)]);
export type Parameter = z.infer<typeof parameterSchema>;
export type Parameters = Readonly<Record<string, Parameter>>;
export type Value = z.infer<typeof value>;
/** What a trial varies: a value for each parameter. */
export type Settings = Record<string, Value>;

export const methods = ["sobol", "random"] as const;
export type Method = (typeof methods)[number];

/**
 * The settings of so many trials, no two alike: fewer where lists and whole numbers have no more. A function of the seed, so that a sweep with more
 * trials begins with the same ones.
 */
export function trialSettings(parameters: Parameters, count: number, method: Method, seed: number): Settings[] {
  const different = new Map<string, Settings>();
  const mostPoints = 1000 + 20 * count;
  for (let point = 0; point < mostPoints && different.size < count; point++) {
    const settings = settingsAt(parameters, point, method, seed);
    const key = JSON.stringify(settings);
    if (!different.has(key)) different.set(key, settings);
  }
  return [...different.values()];
}

function settingsAt(parameters: Parameters, index: number, method: Method, seed: number): Settings {
  const names = Object.keys(parameters);
  const random = randomGenerator(seed, index);
  const point = method === "sobol" ? sobolPoint(index, names.length, seed) : names.map(() => random.uniform());
  return Object.fromEntries(names.map((name, at) => [name, valueAt(name, parameters[name], point[at])]));
}

function valueAt(name: string, parameter: Parameter, share: number): Value {
  if (Array.isArray(parameter)) return parameter[Math.floor(share * parameter.length)];
  const { min, max, scale } = parameter;
  if (isWhole(name, parameter)) {
    // each whole number has a share of the range that begins half before it and ends half behind it
    const [low, high] = [min - 0.5, max + 0.5];
    const drawn = scale === "log" ? Math.exp(Math.log(min) + share * (Math.log(max) - Math.log(min))) : low + share * (high - low);
    return Math.min(max, Math.max(min, Math.round(drawn)));
  }
  const drawn = scale === "log" ? min * (max / min) ** share : min + share * (max - min);
  return Number(drawn.toPrecision(4));
}

/** Whether a key takes whole numbers only, judged by one between. */
function isWhole(name: string, { min, max }: { min: number; max: number }): boolean {
  const foreign = foreignKey(name);
  const key = foreign !== undefined && "of" in foreign ? foreign.of : name;
  return Number.isInteger(min) && Number.isInteger(max) && !takes(key, min + 0.5);
}

/**
 * `NAME=MIN..MAX[:log]` or `NAME=A,B,C`, as on the command line.
 * @throws LecternError SWEEP_PARAMETER
 * @example
 * parseParameter("learning_rate=1e-5..1e-3:log"); // ["learning_rate", { min: 1e-5, max: 1e-3, scale: "log" }]
 */
export function parseParameter(text: string): [string, Parameter] {
  const [, name, rest] = /^([A-Za-z][\w-]*)=(.+)$/s.exec(text) ?? [];
  if (name === undefined) throw wrongParameter(text);
  const key = name.replaceAll("-", "_");
  const [, min, max, scale] = /^(\S+?)\.\.([^:\s]+)(?::(log|linear))?$/.exec(rest) ?? [];
  const parsed = parameterSchema.safeParse(
    min === undefined ? rest.split(",").map(plainValue) : { min: Number(min), max: Number(max), ...(scale && { scale }) },
  );
  if (!parsed.success) throw wrongParameter(text, parsed.error.issues[0].message);
  return [key, parsed.data];
}

function plainValue(text: string): Value {
  const word = text.trim();
  if (word === "true" || word === "false") return word === "true";
  if (word === "null") return null;
  return word !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
}

/**
 * @param ownKeys those that a sweep sets itself
 * @throws LecternError SWEEP_PARAMETER where there is nothing to vary, too much, or one of those
 */
export function requireParameters(parameters: Parameters, ownKeys: ReadonlySet<string>): void {
  const names = Object.keys(parameters);
  const own = names.find((name) => ownKeys.has(name));
  if (own === undefined && names.length >= 1 && names.length <= mostDimensions) return;
  const problem =
    own !== undefined
      ? `${own} cannot be varied: a sweep sets it for every trial.`
      : names.length === 0
        ? "The sweep varies nothing."
        : `The sweep varies ${names.length} settings.`;
  throw new LecternError("SWEEP_PARAMETER", {
    message: problem,
    expected: own === undefined ? `1 to ${mostDimensions} of them` : undefined,
    next: "Name what to vary with --parameter learning_rate=1e-5..1e-3:log, or under parameters: in the sweep's file.",
  });
}

function wrongParameter(text: string, reason?: string): LecternError {
  return new LecternError("SWEEP_PARAMETER", {
    message: `${JSON.stringify(text)} is not a range or a list of values${reason === undefined ? "" : `: ${reason}`}.`,
    expected: "KEY=MIN..MAX, KEY=MIN..MAX:log or KEY=A,B,C",
    received: text,
    next: "For example: learning_rate=1e-5..1e-3:log or per_device_train_batch_size=8,16.",
  });
}
