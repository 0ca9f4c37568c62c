/**
 * Argilla's records (docs.argilla.io): of version 1 {question, context, answer: [{value, status, user_id}]}, of version 2 {fields, responses:
 * {answer: [{value, user_id}]}}, or flat with columns `answer.responses` and `answer.responses.status`. Submitted responses are answers, as texts
 * or as spans; drafts, discarded ones and suggestions of models are not.
 */
import { nameColumns } from "../columns.js";
import { asAnswerText, asFields, asId, asList, at, FieldError, type Fields, isAbsent, isFields, type Place } from "../fields.js";
import type { RawAnswer } from "../raw-question.js";
import { structured } from "../structured-text.js";
import { readSpan } from "./annotated-spans.js";
import { defineDataForm } from "./data-form.js";
import { readTexts } from "./rows.js";

interface Response {
  value: unknown;
  status: unknown;
  place: Place;
}

export const argilla = defineDataForm({
  name: "Argilla",
  matches: (record) =>
    isFields(record["fields"]) ||
    Object.entries(record).some(([name, value]) => isFlat(name) || isResponseList(value)) ||
    isUnanswered(record),
  *read(record, place) {
    const isNested = isFields(record["fields"]);
    const textsPlace = isNested ? at(place, "fields") : place;
    const responses = isNested ? nestedResponses(record, place) : responsesBeside(record, place);
    const own = isNested ? asFields(record["fields"], textsPlace) : withoutResponses(record);
    const texts = readTexts(nameColumns(own), textsPlace);
    const submitted = responses.filter(({ status }) => isAbsent(status) || status === "" || status === "submitted");
    const answers = submitted.flatMap(({ value, place: at_ }) => readValue(value, texts.context, at_));
    yield {
      ...texts,
      id: asId(record["id"] ?? record["external_id"], at(place, "id")),
      answers: submitted.length === 0 ? undefined : answers,
      impossible: undefined,
      place,
    };
  },
});

const isFlat = (name: string): boolean => name.endsWith(".responses");

function nestedResponses(record: Fields, place: Place): Response[] {
  const all = isAbsent(record["responses"]) ? {} : record["responses"];
  const responsesPlace = at(place, "responses");
  if (Array.isArray(all)) {
    // the server's own form: [{values: {answer: {value}}, status}]
    return all.flatMap((each, i) => {
      const { values, status } = asFields(each, at(responsesPlace, i));
      const name = answerName(Object.keys(asFields(values ?? {}, responsesPlace)), responsesPlace);
      if (name === undefined) return [];
      const value = (values as Fields)[name];
      return [{ value: isFields(value) ? value["value"] : value, status, place: at(at(responsesPlace, i), name) }];
    });
  }
  const fields = asFields(all, responsesPlace);
  const name = answerName(Object.keys(fields), responsesPlace);
  return name === undefined ? [] : readList(fields[name], at(responsesPlace, name));
}

/** Responses in the record itself: a list of {value, status}, or lists of values and of statuses in columns of their own. */
function responsesBeside(record: Fields, place: Place): Response[] {
  const flat = Object.keys(record).filter(isFlat);
  if (flat.length === 0) {
    const name = answerName(
      Object.keys(record).filter((key) => isResponseList(record[key])),
      place,
    );
    return name === undefined ? [] : readList(record[name], at(place, name));
  }
  const name = answerName(flat, place)!;
  const values = structured(record[name] ?? []);
  const statuses = structured(record[`${name}.status`]);
  return asList(values === "" ? [] : values, at(place, name)).map((value, i) => ({
    value,
    status: Array.isArray(statuses) ? (statuses as unknown[])[i] : statuses,
    place: at(at(place, name), i),
  }));
}

/** Of several questions that annotators were asked, the one about the answer. */
function answerName(names: readonly string[], place: Place): string | undefined {
  const [name] = names.length === 1 ? names : names.filter((each) => /answer|span/i.test(each));
  if (name === undefined && names.length > 0) {
    throw new FieldError(place, "responses to a question whose name has answer in it", names.join(", "));
  }
  return name;
}

function readList(responses: unknown, place: Place): Response[] {
  return asList(responses, place).map((response, i) => {
    const { value, status } = asFields(response, at(place, i));
    return { value, status, place: at(place, i) };
  });
}

/** A record of version 1 to which nobody has responded: its list is empty, which says nothing of an answer. */
function isUnanswered(record: Fields): boolean {
  const isExport = "external_id" in record || Object.keys(record).some((name) => name.endsWith("-suggestion"));
  return isExport && Object.values(record).some((value) => Array.isArray(value) && value.length === 0);
}

/** A response as answers: a text, or a list of spans. */
function readValue(value: unknown, context: string, place: Place): RawAnswer[] {
  const held = structured(value);
  if (!Array.isArray(held)) return [{ text: asAnswerText(held, place), start: undefined }];
  return held.map((span, i) => {
    const { text, start, end } = asFields(span, at(place, i));
    return readSpan({ text, start, end }, context, at(place, i));
  });
}

/** The record without what annotators and models said. */
function withoutResponses(record: Fields): Fields {
  return Object.fromEntries(
    Object.entries(record).filter(([name, value]) => !Array.isArray(value) && !/\.(responses|suggestion)\b/.test(name)),
  );
}

function isResponseList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((each) => isFields(each) && "value" in each && ("status" in each || "user_id" in each))
  );
}
