/**
 * Doccano's exports of texts with spans (doccano.github.io/doccano): `label` or `labels` with [start, end, label], `entities` with start_offset and
 * end_offset, or `annotations` as before version 1.2. The question is the record's own field `question` (doccano keeps the fields of what was
 * imported, before 1.2 in `meta`), or the label; where it is a field, labels that are texts (of its project type sequence to sequence) are answers.
 */
import { asAnswerText, asList, asTextOrNumber, at, type Fields, type Place } from "../fields.js";
import { questionsOfSpans, readSpan, readSpanTexts, type Span } from "./annotated-spans.js";
import { defineDataForm } from "./data-form.js";

const spanLists = ["label", "labels", "entities", "annotations"] as const;

export const doccano = defineDataForm({
  name: "Doccano",
  matches: (record) => typeof record["text"] === "string" && spanListOf(record) !== undefined,
  *read(record, place, file) {
    const texts = readSpanTexts(record, ["meta", "metadata"], place);
    const name = spanListOf(record)!;
    const spans = asList(record[name], at(place, name)).map((span, i) => readDoccanoSpan(span, texts.context, at(at(place, name), i)));
    const questions = questionsOfSpans(texts, spans, place);
    if (questions.length === 0) file.emptyParagraphs++;
    yield* questions;
  },
});

/** The name of the list that holds spans, or would hold them. */
function spanListOf(record: Fields): (typeof spanLists)[number] | undefined {
  return spanLists.find((name) => {
    const list = record[name];
    return Array.isArray(list) && (list.every(isSpan) || ("question" in record && list.every((label) => typeof label === "string")));
  });
}

function isSpan(span: unknown): boolean {
  if (Array.isArray(span)) return span.length === 3 && typeof span[0] === "number" && typeof span[1] === "number";
  return typeof span === "object" && span !== null && "start_offset" in span && "end_offset" in span;
}

function readDoccanoSpan(span: unknown, context: string, place: Place): Span {
  if (typeof span === "string") return { answer: { text: asAnswerText(span, place), start: undefined }, label: undefined, place };
  const {
    start_offset: start,
    end_offset: end,
    label,
  } = Array.isArray(span)
    ? { start_offset: span[0] as unknown, end_offset: span[1] as unknown, label: span[2] as unknown }
    : (span as Fields);
  return { answer: readSpan({ text: undefined, start, end }, context, place), label: asTextOrNumber(label, place), place };
}
