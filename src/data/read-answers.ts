/**
 * The answers of a question in the shapes that files have them: a list of texts, of {text, answer_start}, an object of two lists (as the
 * Hugging Face Hub's `squad`), one {text, answer_start} or one text, with the places beside them; each of these also as a text that holds it.
 */
import { asAnswerText, asFields, asList, asStart, at, FieldError, type Fields, isAbsent, type Place } from "./fields.js";
import type { RawAnswer } from "./raw-question.js";
import { structured } from "./structured-text.js";

/** A place for answers that do not say theirs. */
interface Starts {
  value: unknown;
  place: Place;
}

/**
 * @param starts where the answers begin, from beside them: a number for one answer, a list for a list
 * @throws LecternError DATA_FIELD
 * @example readAnswers({ text: ["Rome"], answer_start: [3] }, place); // [{ text: "Rome", start: 3 }]
 */
export function readAnswers(answers: unknown, place: Place, starts?: Starts): RawAnswer[] {
  const value = structured(answers);
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== "object" || item === null)) return pairUp(value, place, starts);
    return value.map((item, i) => readAnswer(item, at(place, i)));
  }
  if (typeof value === "object" && value !== null) {
    const fields = asFields(value, place);
    const own = { value: fields["answer_start"] ?? fields["start"], place: at(place, "answer_start") };
    return readAnswers(textOf(fields, place) ?? [], at(place, "text"), isAbsent(own.value) ? starts : own);
  }
  const [start] = startsOf(starts, 1);
  return [{ text: asAnswerText(value, place), start: starts && asStart(start, starts.place) }];
}

function readAnswer(answer: unknown, place: Place): RawAnswer {
  if (typeof answer !== "object" || answer === null) return { text: asAnswerText(answer, place), start: undefined };
  const fields = asFields(answer, place, "an object with text and answer_start");
  const name = "answer_start" in fields ? "answer_start" : "start";
  return { text: asAnswerText(textOf(fields, place), at(place, "text")), start: asStart(fields[name], at(place, name)) };
}

/** The text of an answer, which may be null; an object that has none is not of this shape, and says nothing of an answer. */
function textOf(fields: Fields, place: Place): unknown {
  if (!("text" in fields)) throw new FieldError(at(place, "text"), "the answer's text", undefined);
  return fields["text"];
}

function pairUp(texts: readonly unknown[], place: Place, starts: Starts | undefined): RawAnswer[] {
  const list = startsOf(starts, texts.length);
  return texts.map((text, i) => ({
    text: asAnswerText(text, at(place, i)),
    start: starts && asStart(list[i], texts.length === 1 ? starts.place : at(starts.place, i)),
  }));
}

function startsOf(starts: Starts | undefined, count: number): unknown[] {
  if (starts === undefined || isAbsent(starts.value) || starts.value === "") return [];
  const value = structured(starts.value);
  const list = Array.isArray(value) || count !== 1 ? asList(value, starts.place, "a list of whole numbers") : [value];
  if (list.length !== count) throw new FieldError(starts.place, `a list of ${count}, as many as there are texts`, value);
  return list;
}
