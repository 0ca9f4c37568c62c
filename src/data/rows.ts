/**
 * Questions as flat rows, the form of JSON lines, JSON lists and parquet. The columns are those of the `squad` and `squad_v2` data sets on the
 * Hugging Face Hub: id, title, context, question, answers {text[], answer_start[]}. Also read: answers as a list of {text, answer_start},
 * the columns `answers.text` and `answers.answer_start` (what `flatten()` makes of them), and one answer a row as `answer` or `answer_text`
 * with `answer_start`. An empty list of answers says that the question has none.
 */
import {
  asAnswerText,
  asFields,
  asFilledText,
  asFlag,
  asId,
  asList,
  asStart,
  asText,
  asTextOrNumber,
  at,
  FieldError,
  type Fields,
  isAbsent,
  type Place,
} from "./fields.js";
import type { RawAnswer, RawQuestion } from "./raw-question.js";
import { readAnswerList } from "./squad-json.js";

/** The columns that are read; parquet files need not decode others. */
export const columns = [
  "id",
  "title",
  "context",
  "question",
  "answers",
  "answers.text",
  "answers.answer_start",
  "answer",
  "answer_text",
  "answer_start",
  "is_impossible",
];

/**
 * One row as a question.
 * @throws LecternError DATA_FIELD with the place of a missing or wrong value
 */
export function readRow(row: unknown, place: Place): RawQuestion {
  const fields = asFields(row, place, "an object with question, context and answers");
  return {
    id: asId(fields["id"], at(place, "id")),
    title: asTextOrNumber(fields["title"], at(place, "title")),
    question: asFilledText(fields["question"], at(place, "question")),
    context: asText(fields["context"], at(place, "context")),
    answers: readAnswers(fields, place),
    impossible: asFlag(fields["is_impossible"], at(place, "is_impossible")),
    place,
  };
}

function readAnswers(fields: Fields, place: Place): RawAnswer[] | undefined {
  const { answers } = fields;
  if (!isAbsent(answers)) {
    const answersPlace = at(place, "answers");
    if (Array.isArray(answers)) return readAnswerList(answers, answersPlace);
    const { text, answer_start: starts } = asFields(answers, answersPlace, "an object with text and answer_start");
    return pairUp(text, at(answersPlace, "text"), starts, at(answersPlace, "answer_start"));
  }
  const texts = fields["answers.text"];
  if (!isAbsent(texts)) {
    return pairUp(texts, at(place, "answers.text"), fields["answers.answer_start"], at(place, "answers.answer_start"));
  }
  for (const name of ["answer", "answer_text"]) {
    const text = fields[name];
    if (text === undefined) continue;
    return [{ text: asAnswerText(text, at(place, name)), start: asStart(fields["answer_start"], at(place, "answer_start")) }];
  }
  return undefined;
}

function pairUp(texts: unknown, textsPlace: Place, starts: unknown, startsPlace: Place): RawAnswer[] {
  const textList = asList(texts, textsPlace, "a list of texts");
  const startList = isAbsent(starts) ? undefined : asList(starts, startsPlace, "a list of whole numbers");
  if (startList !== undefined && textList.length !== startList.length)
    throw new FieldError(startsPlace, `a list of ${textList.length}, as many as there are texts`, starts);
  return textList.map((text, i) => ({ text: asAnswerText(text, at(textsPlace, i)), start: asStart(startList?.[i], at(startsPlace, i)) }));
}
