/** A data report as the lines that a person should read before trusting a run: nothing when there is nothing to say. */
import type { DataReport } from "./examples.js";
import type { HubSplitRead } from "./hub-data-sets.js";
import { type Finding, type FindingGroup, findingKinds } from "./findings.js";

/**
 * Warnings, one concern a line, each with the first places where it was met.
 * @example
 * for (const line of dataWarnings(report)) console.error(line);
 */
export function dataWarnings(report: DataReport): string[] {
  const lines = [...(report.hub ?? []).map(hubLine), ...report.findings.flatMap(groupLines)];
  const { untrainable, emptyParagraphs } = report;
  if (untrainable > 0) lines.push(`${counted(untrainable, "example")} without an answer that was found: evaluated, but not trained on`);
  if (emptyParagraphs > 0) lines.push(`${counted(emptyParagraphs, "context")} without a question`);
  return lines;
}

/** What a name on the hub came to mean, for the person who left it open. */
function hubLine({ source, commit, configuration, split, files, isPartial }: HubSplitRead): string {
  const part = isPartial ? "; the hub has converted only the first part of it: the rest is missing" : "";
  return `${source}: split ${split} of configuration ${configuration}, ${counted(files.length, "file")} at commit ${commit.slice(0, 12)}${part}`;
}

function counted(count: number, thing: string): string {
  return `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
}

function groupLines({ kind, what, count, shown }: FindingGroup): string[] {
  const { thing, became } = findingKinds[kind];
  return [
    `${counted(count, thing)} ${became}${what === undefined ? "" : `: ${what}`}`,
    ...shown.map((finding) => `  ${findingLine(finding)}`),
    ...(count > shown.length ? [`  … and ${(count - shown.length).toLocaleString("en")} more`] : []),
  ];
}

/** Where a finding was met, what the file says and what was found; places are code points of the context. */
function findingLine({ file, place, id, stated, found, error }: Finding): string {
  if (error !== undefined) return error;
  const parts = [`${place === "" ? file : `${file}: ${place}`}${id === undefined ? "" : ` (${id})`}`];
  if (stated !== undefined) parts.push(`stated ${spanText(stated)}`);
  if (found?.id !== undefined) parts.push(`now ${found.id}`);
  else if (found !== undefined) parts.push(`found ${spanText(found)}`);
  return parts.join(", ");
}

function spanText({ text, start }: { text?: string; start?: number }): string {
  return [text === undefined ? "" : JSON.stringify(text), start === undefined ? "" : `at ${start}`].filter((part) => part !== "").join(" ");
}
