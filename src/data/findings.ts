/**
 * What reading data meets that is worth a second look: rows that cannot be read, answers that are not where the file says, and the like.
 * Everything is counted by kind; the first of each kind are kept to be shown, and all can be had as they are met (`LoadOptions.onFinding`).
 */

/** What each kind is: a thing, and what became of it, as in "3 answers found elsewhere than stated". The order is that of reports. */
export const findingKinds = {
  "bad row": { thing: "row", became: "that cannot be read, left out" },
  "flag over answers": { thing: "question", became: "marked is_impossible beside answers: without answer, as the mark says" },
  "flag without answer": { thing: "question", became: "marked as not impossible, but with no answer: without answer" },
  "empty answer": { thing: "question", became: "with an empty answer text: without answer" },
  "empty answer beside others": { thing: "answer", became: "without text beside others of the question: left out" },
  "blank context": { thing: "question", became: 'on a context without text: answered "", not trained on' },
  "counted otherwise": { thing: "answer", became: "found at the stated place counted otherwise" },
  "written otherwise": { thing: "answer", became: "found, but written otherwise in the context" },
  moved: { thing: "answer", became: "found elsewhere in the context than stated" },
  "looked for": { thing: "answer", became: "without a place: found where the text stands once" },
  chosen: { thing: "answer", became: "without a place: of several, taken where the question's words are nearest, else the first" },
  lost: { thing: "answer", became: "not found in the context, or not for certain: compared with, but not trained on" },
  "repeated id": { thing: "question", became: "with an id that an earlier one has: given one of its own" },
} as const;

export type FindingKind = keyof typeof findingKinds;

/** One thing that was met. Places in contexts are in Unicode code points, as data files count them. */
export interface Finding {
  kind: FindingKind;
  /** More closely: which field, in what an answer is written otherwise, what its place counts. */
  what?: string;
  file: string;
  /** The path in the file: `line 17`, `data[0].paragraphs[2].qas[1]`. */
  place: string;
  id?: string;
  /** What the file says. */
  stated?: { text?: string; start?: number };
  /** What stands in the context, or the id that was given. */
  found?: { text?: string; start?: number; id?: string };
  /** Of a bad row: what is wrong with it, in one line. */
  error?: string;
}

/** Findings of one kind. */
export interface FindingGroup {
  kind: FindingKind;
  what?: string;
  count: number;
  /** The first of them. */
  shown: Finding[];
}

/**
 * Findings as JSON lines: a file to correct data by.
 * @example
 * await writeFile("findings.jsonl", findingsAsLines(findings));
 */
export function findingsAsLines(findings: readonly Finding[]): string {
  return findings
    .map(
      ({ file, place, kind, what, id, stated, found, error }) =>
        `${JSON.stringify({ file, place, kind, what, id, stated, found, error })}\n`,
    )
    .join("");
}

/** How many of each kind a report keeps. */
const shownAtMost = 3;

/** Counts findings as they are met. */
export class Findings {
  readonly #groups = new Map<string, FindingGroup>();
  readonly #onFinding: ((finding: Finding) => void) | undefined;

  constructor(onFinding?: (finding: Finding) => void) {
    this.#onFinding = onFinding;
  }

  add(finding: Finding): void {
    const { kind, what } = finding;
    const key = `${kind}: ${what}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { kind, ...(what !== undefined && { what }), count: 0, shown: [] };
      this.#groups.set(key, group);
    }
    group.count++;
    if (group.shown.length < shownAtMost) group.shown.push(finding);
    this.#onFinding?.(finding);
  }

  /** By kind, in the order of the kinds; within one, the most frequent first. */
  groups(): FindingGroup[] {
    const order = Object.keys(findingKinds);
    return [...this.#groups.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || b.count - a.count);
  }
}
