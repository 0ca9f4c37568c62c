/**
 * Labels of Haystack 1.x (docs.haystack.deepset.ai/v1.26/docs/labels), as its `Label.to_dict` and the feedback of its REST API give them: {query,
 * document: {content}, answer: {answer, offsets_in_document}, is_correct_answer, no_answer}. A label that says of an answer that it is not
 * right says nothing of the right one. (Haystack's annotation tool writes SQuAD's form.)
 */
import {
  asAnswerText,
  asFields,
  asFilledText,
  asFlag,
  asId,
  asStart,
  asText,
  at,
  FieldError,
  type Fields,
  isAbsent,
  type Place,
} from "../fields.js";
import type { RawAnswer } from "../raw-question.js";
import { defineDataForm } from "./data-form.js";

export const haystackLabels = defineDataForm({
  name: "Haystack",
  matches: ({ query, document }) => typeof query === "string" && typeof document === "object" && document !== null && "content" in document,
  *read(record, place) {
    const { is_correct_answer: isCorrect, document, answer, no_answer: noAnswer } = record;
    if (asFlag(isCorrect, at(place, "is_correct_answer")) === false) {
      throw new FieldError(at(place, "is_correct_answer"), "true: a wrong answer does not say which one is right", isCorrect);
    }
    const documentPlace = at(place, "document");
    yield {
      id: asId(record["id"], at(place, "id")),
      title: undefined,
      question: asFilledText(record["query"], at(place, "query")),
      context: asText(asFields(document, documentPlace)["content"], at(documentPlace, "content")),
      answers: isAbsent(answer) ? undefined : [readAnswer(asFields(answer, at(place, "answer")), at(place, "answer"))],
      impossible: asFlag(noAnswer, at(place, "no_answer")),
      place,
    };
  },
});

function readAnswer({ answer, offsets_in_document: offsets }: Fields, place: Place): RawAnswer {
  const [first] = Array.isArray(offsets) ? (offsets as unknown[]) : [];
  const offsetPlace = at(at(place, "offsets_in_document"), 0);
  return {
    text: asAnswerText(answer, at(place, "answer")),
    start: isAbsent(first) ? undefined : asStart(asFields(first, offsetPlace)["start"], offsetPlace),
  };
}
