/**
 * Spans that a person marked in a text, as annotation tools export them: the answers of a question that the record has, or, where the labels
 * are the questions, of one question for each label.
 */
import {
  asAnswerText,
  asFilledText,
  asId,
  asStart,
  asText,
  asTextOrNumber,
  at,
  FieldError,
  type Fields,
  isAbsent,
  isFields,
  type Place,
} from "../fields.js";
import type { RawAnswer, RawQuestion } from "../raw-question.js";

export interface Span {
  answer: RawAnswer;
  /** Undefined where it has none. */
  label: string | undefined;
  place: Place;
}

/**
 * A span as an answer: its text where it has one, else what stands between its ends, without white space there.
 * @param start code points of the context; undefined where the tool counts otherwise
 * @throws LecternError DATA_FIELD for a span without text and ends
 */
export function readSpan({ text, start, end }: { text: unknown; start: unknown; end: unknown }, context: string, place: Place): RawAnswer {
  const from = asStart(start, at(place, "start"));
  if (!isAbsent(text)) return { text: asAnswerText(text, at(place, "text")), start: from };
  const to = asStart(end, at(place, "end"));
  if (from === undefined || to === undefined) throw new FieldError(place, "a span with its text, or with start and end", undefined);
  const marked = [...context].slice(from, to).join("");
  return { text: marked.trim(), start: from + marked.length - marked.trimStart().length };
}

/** What a record has beside its spans. */
export type SpanTexts = Pick<RawQuestion, "id" | "title" | "context"> & { question: string | undefined };

/**
 * The questions of a record with spans.
 * @throws LecternError DATA_FIELD where the record has no question and a label is a kind of span, as `PERSON` is
 */
export function questionsOfSpans({ question, ...texts }: SpanTexts, spans: readonly Span[], place: Place): RawQuestion[] {
  const shared = { impossible: undefined, place };
  if (question !== undefined) return [{ ...texts, ...shared, question, answers: spans.map(({ answer }) => answer) }];
  const byLabel = new Map<string, RawAnswer[]>();
  for (const { answer, label, place: spanPlace } of spans) {
    if (label === undefined || /^[\w.-]{0,40}$/.test(label.trim())) throw questionMissing(label, spanPlace);
    byLabel.set(label, [...(byLabel.get(label) ?? []), answer]);
  }
  return [...byLabel].map(([label, answers], n) => {
    const id = texts.id === undefined || byLabel.size === 1 ? texts.id : `${texts.id}-${n}`;
    return { ...texts, ...shared, id, question: label, answers };
  });
}

function questionMissing(label: string | undefined, place: Place): FieldError {
  return new FieldError(
    place,
    "a question in the record, or as the label of the span",
    label,
    "Import the texts with a field question and export them again, or add it to each record of this file.",
  );
}

/**
 * What a record has beside its spans. Its question is its own field `question`, or one in the notes that the tool keeps with it.
 * @param notes fields that may hold such notes
 */
export function readSpanTexts(record: Fields, notes: readonly string[], place: Place): SpanTexts {
  const holder = notes.find((name) => isFields(record[name]) && "question" in record[name]);
  const question = record["question"] ?? (holder === undefined ? undefined : (record[holder] as Fields)["question"]);
  const questionPlace = at(holder === undefined ? place : at(place, holder), "question");
  return {
    id: asId(record["id"], at(place, "id")),
    title: asTextOrNumber(record["title"], at(place, "title")),
    context: asText(record["text"], at(place, "text")),
    question: isAbsent(question) ? undefined : asFilledText(question, questionPlace),
  };
}
