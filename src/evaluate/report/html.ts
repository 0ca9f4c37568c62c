/** HTML from templates in which every value is escaped, unless it is markup that was made the same way. */

/** Markup that is safe to be put into a page as it is. */
export class Markup {
  constructor(readonly text: string) {}
}

type Interpolated = Markup | string | number | undefined | readonly Interpolated[];

/**
 * A template whose values are escaped, for texts and for quoted attributes. Lists are joined, undefined is nothing.
 * @example
 * html`<p title="${title}">${text}</p>`;
 */
export function html(strings: TemplateStringsArray, ...values: readonly Interpolated[]): Markup {
  return new Markup(strings.map((text, i) => (i < values.length ? text + rendered(values[i]) : text)).join(""));
}

function rendered(value: Interpolated): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "string" || typeof value === "number") return escaped(String(value));
  return value.map(rendered).join("");
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

/** JSON to stand in a script element: nothing in it can end the element. */
export function scriptJson(value: unknown): Markup {
  return new Markup(JSON.stringify(value).replaceAll("<", "\\u003c"));
}
