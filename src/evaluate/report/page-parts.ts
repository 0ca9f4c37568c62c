/** What the sections of the page are made of: figures as text, tables, charts with their captions. */
import type { Interval } from "../statistics.js";
import { html, type Markup } from "./html.js";

export const decimals = (value: number, digits: number) => value.toFixed(digits).replace(/^-(?!0\.?0*$)/, "−").replace("-", "");
export const percent = (share: number, digits = 1) => decimals(100 * share, digits);
export const range = ({ low, high }: Interval) => `${percent(low)}–${percent(high)}`;
export const count = (value: number) => value.toLocaleString("en-US");
export const signed = (value: number, digits: number) => (value > 0 ? "+" : "") + decimals(value, digits);

type Cell = string | Markup;

/** A table with a caption; its first column names the rows. */
export function table(caption: string, head: readonly string[], rows: readonly (readonly Cell[])[], textColumns: readonly number[] = []): Markup {
  const kind = (column: number) => (textColumns.includes(column) ? "text" : "");
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption>${caption}</caption>
<thead><tr>${head.map((name, column) => html`<th scope="col" class="${kind(column)}">${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, column) => (column === 0 ? html`<th scope="row" dir="auto" class="text">${cell}</th>` : html`<td class="${kind(column)}" dir="${kind(column) === "text" ? "auto" : "ltr"}">${cell}</td>`))}</tr>
`,
  )}</tbody></table></div>`;
}

export function figure(drawing: Markup, caption: string): Markup {
  return html`<figure>${drawing}<figcaption>${caption}</figcaption></figure>`;
}

export const folded = (summary: string, content: Markup) => html`<details><summary>${summary}</summary>${content}</details>`;

export function card(name: string, value: string, note: string | Markup): Markup {
  return html`<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`;
}

/** Four decimals; of what is smaller than a hundredth, as scores of untrained readers are, three figures. */
export function figures(value: number): string {
  const isSmall = value !== 0 && Math.abs(value) < 0.01;
  return isSmall ? value.toPrecision(3).replace(/e(.*)$/, " × 10^$1").replaceAll("-", "−") : decimals(value, Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 4 : 2);
}
