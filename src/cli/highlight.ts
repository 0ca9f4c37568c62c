/** An answer shown in its context on the terminal: the evidence marked in place, the text wrapped around it. */
import type { Answer } from "../tasks/extractive/question-answerer.js";
import { resultColors } from "./output.js";

export interface ShownAnswer {
  readonly question: string;
  readonly context: string;
  readonly answer: Answer;
  /** The answers that people gave. */
  readonly golds: readonly string[];
}

/** Characters of context shown on either side of the answer. */
const around = 160;
const lineWidth = 100;

/** Lines of text: question, the piece of context with the answer marked, and what people answered. */
export function highlightAnswer({ question, context, answer, golds }: ShownAnswer): string {
  const from = context.lastIndexOf(" ", Math.max(0, answer.start - around)) + 1;
  const space = context.indexOf(" ", answer.end + around);
  const to = space < 0 ? context.length : space;
  // Marks are put in after wrapping, so that escape sequences do not count as width. Wrapping keeps every character's place.
  const lines = wrap(context.slice(from, to).replace(/\s/g, " "));
  let at = from;
  const marked = lines.map((line) => {
    const start = clamp(answer.start - at, line.length);
    const end = clamp(answer.end - at, line.length);
    at += line.length;
    return `  ${line.slice(0, start)}${start < end ? resultColors.inverse(line.slice(start, end)) : ""}${line.slice(end)}`.trimEnd();
  });
  return [
    `${resultColors.bold(`Q: ${question.trim()}`)}`,
    `A: ${resultColors.green(answer.answer || "no answer")} ${resultColors.dim(`(score ${answer.score.toFixed(2)}; people said: ${golds.join(" / ") || "nothing"})`)}`,
    `${from > 0 ? "  …\n" : ""}${marked.join("\n")}${to < context.length ? " …" : ""}`,
  ].join("\n");
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
