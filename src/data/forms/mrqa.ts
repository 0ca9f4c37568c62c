/**
 * The form of MRQA's shared task (Fisch et al. 2019): a header line, then {context, qas: [{qid, question, answers, detected_answers}]} a line;
 * `detected_answers` are the places in the context, `answers` what counts as right, also where the context writes it otherwise or not at all.
 * The Hub's `mrqa` has the same in flat rows, with lists in place of objects.
 */
import { nameColumns } from "../columns.js";
import { asAnswerText, asFields, asList, asStart, asText, at, type Fields, isAbsent, type Place } from "../fields.js";
import { isBadRow, orBadRow, type RawAnswer, type RawQuestion } from "../raw-question.js";
import { structured } from "../structured-text.js";
import { defineDataForm } from "./data-form.js";
import { readTexts } from "./rows.js";

export const mrqa = defineDataForm({
  name: "MRQA",
  matches: (record) => isHeader(record) || hasPlaces(record) || (Array.isArray(record["qas"]) && record["qas"].some(hasPlaces)),
  *read(record, place, file) {
    if (isHeader(record)) return;
    if (!("qas" in record)) return yield readQuestion(record, record["context"], place);
    const read = orBadRow(place, () => ({
      context: asText(record["context"], at(place, "context")),
      questions: asList(record["qas"], at(place, "qas")),
    }));
    if (isBadRow(read)) return yield read;
    if (read.questions.length === 0) file.emptyParagraphs++;
    for (const [q, question] of read.questions.entries()) {
      const questionPlace = at(at(place, "qas"), q);
      yield orBadRow(questionPlace, () => readQuestion(asFields(question, questionPlace), read.context, questionPlace));
    }
  },
});

function isHeader(record: Fields): boolean {
  const [name, ...others] = Object.keys(record);
  return name === "header" && others.length === 0;
}

function hasPlaces(value: unknown): boolean {
  return typeof value === "object" && value !== null && "detected_answers" in value && "question" in value;
}

function readQuestion(record: Fields, context: unknown, place: Place): RawQuestion {
  const { fields, names } = nameColumns(record);
  const detected = readDetected(structured(record["detected_answers"]), at(place, "detected_answers"));
  const texts = isAbsent(record["answers"]) ? [] : asList(structured(record["answers"]), at(place, "answers"));
  const others = texts
    .map((text, i) => asAnswerText(text, at(at(place, "answers"), i)))
    .filter((text) => detected.every((answer) => answer.text !== text));
  return {
    ...readTexts({ fields: { ...fields, context }, names }, place),
    answers: [...detected, ...others.map((text) => ({ text, start: undefined }))],
    impossible: undefined,
    place,
  };
}

/** A list of {text, char_spans: [[start, last], …]}, or {text: […], char_spans: [{start: […], end: […]}, …]}; the first span of each. */
function readDetected(detected: unknown, place: Place): RawAnswer[] {
  if (Array.isArray(detected)) {
    return detected.map((each, i) => {
      const { text, char_spans: spans } = asFields(each, at(place, i));
      return readOne(text, spans, at(place, i));
    });
  }
  const { text, char_spans: spans } = asFields(detected ?? {}, place);
  const texts = asList(text ?? [], at(place, "text"));
  const lists = asList(spans ?? [], at(place, "char_spans"));
  return texts.map((each, i) => readOne(each, [lists[i]], place));
}

function readOne(text: unknown, spans: unknown, place: Place): RawAnswer {
  const spansPlace = at(place, "char_spans");
  const first: unknown = asList(spans ?? [], spansPlace)[0];
  const starts = Array.isArray(first) ? (first as unknown[]) : isAbsent(first) ? [] : asFields(first, spansPlace)["start"];
  return {
    text: asAnswerText(text, at(place, "text")),
    start: asStart(Array.isArray(starts) ? starts[0] : starts, spansPlace),
  };
}
