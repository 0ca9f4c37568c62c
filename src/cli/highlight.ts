/** An answer shown in its context on the terminal: the evidence marked in place, the text wrapped around it. */
import type { Answer } from "../tasks/extractive/answer-spans.js";
import { resultColors } from "./output.js";

export interface ShownAnswer {
  readonly question: string;
  readonly context: string;
  readonly answer: Answer;
  /** The answers that people gave, where there are some to compare with. */
  readonly golds?: readonly string[];
}

/** Characters of context shown on either side of the answer. */
const around = 160;
/** How much further to look for a space to cut at: scripts without spaces have none. */
const further = 80;
const lineWidth = 100;

/** Lines of text: question, the piece of context with the answer marked, and what people answered. */
export function highlightAnswer({ question, context, answer, golds }: ShownAnswer): string {
  const { from, to } = surroundings(context, answer);
  // Marks are put in after wrapping, so that escape sequences do not count as width. Wrapping keeps every character's place.
  const lines = wrap(printable(context.slice(from, to)));
  let at = from;
  const marked = lines.map((line) => {
    const start = clamp(answer.start - at, line.length);
    const end = clamp(answer.end - at, line.length);
    at += line.length;
    return `  ${line.slice(0, start)}${start < end ? resultColors.inverse(line.slice(start, end)) : ""}${line.slice(end)}`.trimEnd();
  });
  const places = `, characters ${answer.start} to ${answer.end}`;
  const told = golds === undefined ? places : `; people said: ${golds.map(printable).join(" / ") || "nothing"}`;
  return [
    `${resultColors.bold(`Q: ${printable(question.trim())}`)}`,
    `A: ${resultColors.green(printable(answer.answer) || "no answer")} ${resultColors.dim(`(score ${answer.score.toFixed(2)}${told})`)}`,
    `${from > 0 ? "  …\n" : ""}${marked.join("\n")}${to < context.length ? " …" : ""}`,
  ].join("\n");
}

/** Each control character, of which a terminal would move or change colour, and each kind of space as one plain character. */
export function printable(text: string): string {
  return text.replace(/\s/g, " ").replace(/\p{Cc}/gu, "\ufffd");
}

/** The piece of context to show: what stands about the answer, cut at spaces where there are some, and never within a character. */
function surroundings(context: string, { start, end }: Answer): { from: number; to: number } {
  const [before, after] = [start - around, end + around];
  const spaceBefore = context.lastIndexOf(" ", Math.max(0, before));
  const spaceAfter = context.indexOf(" ", after);
  const isHalf = (place: number) => /[\udc00-\udfff]/.test(context.charAt(place));
  const from = spaceBefore >= before - further ? spaceBefore + 1 : before + Number(isHalf(before));
  const to = spaceAfter >= 0 && spaceAfter <= after + further ? spaceAfter : after - Number(isHalf(after));
  return { from: before <= further ? 0 : from, to: after + further >= context.length ? context.length : to };
}

/** Cut at spaces, each line keeping the space it ends with. */
function wrap(text: string): string[] {
  const lines = [""];
  for (const word of text.match(/\S*\s?/g) ?? []) {
    if (lines[lines.length - 1].length + word.trimEnd().length > lineWidth) lines.push("");
    lines[lines.length - 1] += word;
  }
  return lines;
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}
