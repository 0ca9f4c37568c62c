/**
 * Prodigy's annotations of spans (prodi.gy/docs/api-interfaces#spans): {text, spans: [{start, end, label}], answer}. `answer` is what the
 * annotator said of the record, and no answer to a question: only accepted records count. The question is a field of its own, in the record or
 * its `meta`, or the label.
 */
import { asFields, asFilledText, asId, asList, asText, asTextOrNumber, at, FieldError } from "../fields.js";
import { questionBeside, questionsOfSpans, readSpan } from "./annotated-spans.js";
import { defineDataForm } from "./data-form.js";

const verdicts = ["accept", "reject", "ignore"];

export const prodigy = defineDataForm({
  name: "Prodigy",
  matches: ({ text, answer, spans }) =>
    typeof text === "string" && (Array.isArray(spans) || spans === undefined) && typeof answer === "string" && verdicts.includes(answer),
  *read(record, place, file) {
    const { answer: verdict } = record;
    if (verdict !== "accept") throw new FieldError(at(place, "answer"), "accept: what the annotator refused is left out", verdict);
    const context = asText(record["text"], at(place, "text"));
    const question = questionBeside(record, "meta");
    const spans = asList(record["spans"] ?? [], at(place, "spans")).map((span, i) => {
      const spanPlace = at(at(place, "spans"), i);
      const { text, start, end, label } = asFields(span, spanPlace);
      return {
        answer: readSpan({ text, start, end }, context, spanPlace),
        label: asTextOrNumber(label, at(spanPlace, "label")),
        place: spanPlace,
      };
    });
    const texts = {
      id: asId(record["id"], at(place, "id")),
      title: asTextOrNumber(record["title"], at(place, "title")),
      context,
      question: question && asFilledText(question.value, at(place, question.name)),
    };
    const questions = questionsOfSpans(texts, spans, place);
    if (questions.length === 0) file.emptyParagraphs++;
    yield* questions;
  },
});
