/**
 * Where sentences begin and end, by the rules of Unicode (UAX #29) as Intl.Segmenter has them. These end a sentence after "Dr." or "U.S."
 * when a capital letter follows, so that pieces which end in an initial or in one of the usual abbreviations are joined with the next.
 */

export interface Sentence {
  /** [start, end) in UTF-16 code units. */
  start: number;
  end: number;
}

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
/** An initial (also the last of "U.S."), or an abbreviation that a name or a number follows. */
const unfinished = /(?:(?<![\p{L}\p{N}])|\.)(?:\p{L}|Dr|Mr|Mrs|Ms|St|Mt|Ft|Prof|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Sen|Rep|Gov|Jr|Sr|No|Nos|vs|ca|cf|al|Fig|Vol)\.\s*$/u;

/**
 * The sentences of a text, without gaps.
 * @example
 * sentencesOf("He met Dr. Smith. She left.").length; // 2
 */
export function sentencesOf(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  let open = false;
  for (const { segment, index } of segmenter.segment(text)) {
    const end = index + segment.length;
    if (open) sentences[sentences.length - 1].end = end;
    else sentences.push({ start: index, end });
    open = unfinished.test(segment);
  }
  return sentences;
}
