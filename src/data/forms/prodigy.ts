/**
 * Prodigy's annotations of spans (prodi.gy/docs/api-interfaces#spans): {text, spans: [{start, end, label}], answer}. `answer` is what the
 * annotator said of the record, and no answer to a question: only accepted records count. The question is a field of its own, in the record or
 * its `meta`, or the label.
 */
import { asFields, asList, asTextOrNumber, at, FieldError } from "../fields.js";
import { questionsOfSpans, readSpan, readSpanTexts } from "./annotated-spans.js";
import { defineDataForm } from "./data-form.js";

const verdicts = ["accept", "reject", "ignore"];

export const prodigy = defineDataForm({
  name: "Prodigy",
  matches: ({ text, answer, spans }) =>
    typeof text === "string" && (Array.isArray(spans) || spans === undefined) && typeof answer === "string" && verdicts.includes(answer),
  *read(record, place, file) {
    const { answer: verdict } = record;
    if (verdict !== "accept") throw new FieldError(at(place, "answer"), "accept: what the annotator refused is left out", verdict);
    const texts = readSpanTexts(record, ["meta"], place);
    const spans = asList(record["spans"] ?? [], at(place, "spans")).map((span, i) => {
      const spanPlace = at(at(place, "spans"), i);
      const { text, start, end, label } = asFields(span, spanPlace);
      return {
        answer: readSpan({ text, start, end }, texts.context, spanPlace),
        label: asTextOrNumber(label, at(spanPlace, "label")),
        place: spanPlace,
      };
    });
    const questions = questionsOfSpans(texts, spans, place);
    if (questions.length === 0) file.emptyParagraphs++;
    yield* questions;
  },
});
