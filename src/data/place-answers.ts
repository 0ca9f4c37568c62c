/**
 * From where a data file says an answer begins (Unicode code points, as Python counts) to where it stands in the context (UTF-16 code units,
 * as JavaScript counts). Where the text is not there, it is looked for before it is given up, in this order:
 *
 * 1. at the stated place, counted otherwise (place-countings.ts), the text as it is written, then folded (fold-text.ts);
 * 2. close by, where it stands once, or twice as near as anywhere else; as it is written, then folded;
 * 3. in the whole context, where it stands once; as it is written, then folded.
 *
 * An answer without a stated place is taken where it stands once; where it stands several times, by the question's words
 * (choose-occurrence.ts). Other answers are lost: predictions can be compared with them, but they are not trained on.
 */
import { codeUnitPositions } from "../text/code-points.js";
import { chooseOccurrence } from "./choose-occurrence.js";
import { differingAspects, findFolded, foldEnds, type FoldedAspect, type FoldedText, foldText } from "./fold-text.js";
import { type CountedPlaces, otherCountings } from "./place-countings.js";
import type { RawAnswer } from "./raw-question.js";

export interface Answer {
  /** What stands in the context there, or what the file says where that was not found. */
  text: string;
  /** Where the answer begins, in UTF-16 code units of the context; −1 where its text could not be found for certain. */
  start: number;
  /** How the file writes the text, where that is otherwise: what the metrics compare with. */
  written?: string;
}

/** How an answer was found that is not where, or not as, the file says. */
export type Repair =
  | { kind: "counted otherwise"; what: string }
  | { kind: "written otherwise"; what: FoldedAspect }
  | { kind: "moved" | "looked for" | "chosen" };

export interface PlacedAnswer {
  answer: Answer;
  /** Empty for an answer that stands where the file says, and for a lost one. */
  repairs: Repair[];
}

interface Span {
  start: number;
  end: number;
}

/** How far from answer_start a text is "close by", in UTF-16 code units: slips of a few characters, white space that was changed before. */
const closeBy = 32;

/** Places answers; what was computed for a context is kept until another one comes, as data files go context by context. */
export class AnswerPlacer {
  #context = "";
  #positions: Int32Array | undefined;
  #folded: FoldedText | undefined;
  #countings: CountedPlaces[] | undefined;

  /**
   * @param question on the context, whose words decide between several places of an answer whose place is not stated
   * @example
   * new AnswerPlacer().place("🙂 Rome", { text: "Rome", start: 2 }, "Which city?"); // { answer: { text: "Rome", start: 3 }, repairs: [] }
   */
  place(context: string, { text, start }: RawAnswer, question: string): PlacedAnswer {
    if (context !== this.#context) {
      this.#context = context;
      this.#positions = codeUnitPositions(context);
      this.#folded = this.#countings = undefined;
    }
    if (start === undefined) return this.#lookFor(text, question);
    const stated = this.#positions === undefined ? start : (this.#positions[start] ?? context.length);
    if (context.startsWith(text, stated)) return { answer: { text, start: stated }, repairs: [] };
    return this.#atPlace(text, start, stated) ?? this.#near(text, stated) ?? lost(text);
  }

  #atPlace(text: string, start: number, stated: number): PlacedAnswer | undefined {
    this.#countings ??= otherCountings(this.#context);
    const places = [
      { name: undefined, place: stated },
      ...this.#countings.map(({ name, positions }) => ({ name, place: start < positions.length ? positions[start] : -1 })),
    ];
    for (const spans of [this.#written(text), this.#foldedSpans(text)]) {
      for (const { name, place } of places) {
        const span = spans.find((each) => each.start === place);
        if (span === undefined) continue;
        return this.#found(text, span, name === undefined ? [] : [{ kind: "counted otherwise", what: name }]);
      }
    }
    return undefined;
  }

  #near(text: string, stated: number): PlacedAnswer | undefined {
    const written = this.#written(text);
    const folded = this.#foldedSpans(text);
    const span = nearest(written, stated) ?? nearest(folded, stated) ?? only(written) ?? only(folded);
    return span && this.#found(text, span, [{ kind: "moved" }]);
  }

  #lookFor(text: string, question: string): PlacedAnswer {
    const written = this.#written(text);
    const spans = written.length > 0 ? written : this.#foldedSpans(text);
    if (spans.length === 0) return lost(text);
    if (spans.length === 1) return this.#found(text, spans[0], [{ kind: "looked for" }]);
    this.#folded ??= foldText(this.#context);
    return this.#found(text, chooseOccurrence(spans, this.#folded, question), [{ kind: "chosen" }]);
  }

  #found(written: string, { start, end }: Span, repairs: Repair[]): PlacedAnswer {
    const text = this.#context.slice(start, end);
    if (text === written) return { answer: { text, start }, repairs };
    const aspects = differingAspects(written, text).map((what): Repair => ({ kind: "written otherwise", what }));
    return { answer: { text, start, written }, repairs: [...repairs, ...aspects] };
  }

  #written(text: string): Span[] {
    const spans: Span[] = [];
    for (let start = this.#context.indexOf(text); start >= 0; start = this.#context.indexOf(text, start + 1)) {
      spans.push({ start, end: start + text.length });
    }
    return spans;
  }

  #foldedSpans(text: string): Span[] {
    this.#folded ??= foldText(this.#context);
    return findFolded(this.#folded, foldEnds(text));
  }
}

/** The span close to a place that is the only one there, or at least twice as near as the next. */
function nearest(spans: readonly Span[], place: number): Span | undefined {
  const distance = ({ start }: Span): number => Math.abs(start - place);
  const [first, second] = spans.toSorted((a, b) => distance(a) - distance(b));
  if (first === undefined || distance(first) > closeBy) return undefined;
  return second === undefined || distance(second) > closeBy || distance(second) >= 2 * distance(first) ? first : undefined;
}

function only(spans: readonly Span[]): Span | undefined {
  return spans.length === 1 ? spans[0] : undefined;
}

function lost(text: string): PlacedAnswer {
  return { answer: { text, start: -1 }, repairs: [] };
}
