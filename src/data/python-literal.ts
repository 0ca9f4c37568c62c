/**
 * Lists and dictionaries as Python prints them: what pandas writes into a CSV cell for a value that is no text, such as
 * `{'text': array(['in 1871'], dtype=object), 'answer_start': array([44])}`. Read are texts, numbers, True, False, None, nan, lists, tuples,
 * dictionaries, NumPy's `array(…, dtype=…)`, its scalars (`np.int64(44)`) and its own lists without commas (`['a' 'b']`).
 */

/** How deep lists may be nested: answers are three deep. */
const deepest = 32;

const token =
  /\s*(?:(?<text>[bru]{0,2}(?:'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*"))|(?<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)|(?<name>[A-Za-z_][\w.]*)|(?<sign>[[\](){},:=]))/iy;

const names: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["None", null],
  ["nan", null],
  ["True", true],
  ["False", false],
]);

/**
 * The value, or undefined where the text is not of that form.
 * @example parsePythonLiteral("{'text': ['Rome'], 'answer_start': array([3])}"); // { text: ["Rome"], answer_start: [3] }
 */
export function parsePythonLiteral(text: string): unknown {
  const tokens: { text?: string; number?: string; name?: string; sign?: string }[] = [];
  token.lastIndex = 0;
  const end = text.trimEnd().length;
  for (let at = 0; at < end; at = token.lastIndex) {
    const match = token.exec(text);
    if (match === null) return undefined;
    tokens.push({ ...match.groups });
  }
  try {
    const reader = new LiteralReader(tokens);
    const value = reader.value(0);
    return reader.isAtEnd ? value : undefined;
  } catch (error) {
    if (error instanceof NoLiteral) return undefined;
    throw error;
  }
}

class NoLiteral extends Error {}

class LiteralReader {
  #at = 0;
  constructor(private readonly tokens: readonly { text?: string; number?: string; name?: string; sign?: string }[]) {}

  get isAtEnd(): boolean {
    return this.#at === this.tokens.length;
  }

  value(depth: number): unknown {
    if (depth > deepest || this.isAtEnd) throw new NoLiteral();
    const { text, number, name, sign } = this.tokens[this.#at++];
    if (number !== undefined) return Number(number);
    if (text !== undefined) return this.#text(text);
    if (sign === "[") return this.#list("]", depth);
    if (sign === "(") return this.#list(")", depth);
    if (sign === "{") return this.#dictionary(depth);
    if (name !== undefined && names.has(name)) return names.get(name);
    if (name !== undefined && this.#takes("(")) return this.#call(depth);
    throw new NoLiteral();
  }

  /** A text; those that stand side by side are one to Python, but items to NumPy, whose lists `#list` reads. */
  #text(token: string): string {
    const quote = Math.min(...["'", '"'].map((sign) => token.indexOf(sign)).filter((at) => at >= 0));
    const body = token.slice(quote + 1, -1);
    if (token.slice(0, quote).toLowerCase().includes("r")) return body;
    return body.replaceAll(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r?\n|[^])/g, (_, escape: string) => unescape(escape));
  }

  #list(end: string, depth: number): unknown[] {
    const items: unknown[] = [];
    while (!this.#takes(end)) {
      items.push(this.value(depth + 1));
      this.#takes(",");
    }
    return items;
  }

  #dictionary(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    while (!this.#takes("}")) {
      const key = this.value(depth + 1);
      if (typeof key !== "string" || !this.#takes(":")) throw new NoLiteral();
      entries.push([key, this.value(depth + 1)]);
      if (!this.#takes(",") && this.tokens[this.#at]?.sign !== "}") throw new NoLiteral();
    }
    return Object.fromEntries(entries);
  }

  /** `array([…], dtype=object)`, `np.int64(3)`: the first argument. */
  #call(depth: number): unknown {
    const value = this.value(depth + 1);
    while (this.#takes(",")) {
      if (this.tokens[this.#at]?.name === undefined || this.tokens[this.#at + 1]?.sign !== "=") break;
      this.#at += 2;
      const { name } = this.tokens[this.#at] ?? {};
      if (name !== undefined && !names.has(name))
        this.#at++; // dtype=object
      else this.value(depth + 1);
    }
    if (!this.#takes(")")) throw new NoLiteral();
    return value;
  }

  #takes(sign: string): boolean {
    if (this.tokens[this.#at]?.sign !== sign) return false;
    this.#at++;
    return true;
  }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["0", "\0"],
]);

function unescape(escape: string): string {
  if (/^[xuU][0-9a-f]/i.test(escape) && escape.length > 1) {
    const point = Number.parseInt(escape.slice(1), 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : "\ufffd";
  }
  if (escape.endsWith("\n")) return "";
  return escapes.get(escape) ?? (["'", '"', "\\"].includes(escape) ? escape : `\\${escape}`);
}
