/**
 * config.json through JavaScript and back. Python tells 1.0 from 1 and transformers refuses a configuration whose float has become an
 * integer ("expected float, got int"); JavaScript has one kind of number. So a configuration remembers the text it was read from, under a
 * symbol, which copies made by spreading carry along; when it is written, the keys that held floats there hold floats again.
 */

const sourceText = Symbol("the text that a configuration was read from");

/** An object of a config.json, which remembers its text. */
export type ConfigObject = Record<string, unknown> & { [sourceText]?: string };

/** The JSON object in a text, or undefined when the text holds something else; throws SyntaxError when it is not JSON. */
export function parseConfigText(text: string): ConfigObject | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return { ...value, [sourceText]: text };
}

/** The text of a config.json, as Python's json.dumps with an indent of 2 lays it out. */
export function configText(config: ConfigObject): string {
  const floats = floatKeys(config[sourceText] ?? "");
  const marked = (value: unknown): unknown =>
    Number.isInteger(value) && Math.abs(value as number) < 1e21 ? `\u0001${String(value)}.0` : value;
  const text = JSON.stringify(
    config,
    (key, value: unknown) => {
      if (!floats.has(key)) return value;
      return Array.isArray(value) ? value.map(marked) : marked(value);
    },
    2,
  );
  return `${text.replace(/"\\u0001(-?\d+\.0)"/g, "$1")}\n`;
}

/** The keys that hold a float, or a list with one, at any depth. */
function floatKeys(text: string): Set<string> {
  const number = String.raw`-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?`;
  const entry = new RegExp(String.raw`"([^"\\]+)"\s*:\s*(${number}|\[[\s,\d.eE+-]*\])(?=\s*[,}])`, "g");
  const keys = new Set<string>();
  for (const [, key, value] of text.matchAll(entry)) if (/[.eE]/.test(value)) keys.add(key);
  return keys;
}
