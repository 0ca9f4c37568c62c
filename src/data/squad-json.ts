/**
 * The nested JSON of SQuAD 1.1 (Rajpurkar et al. 2016) and 2.0 (Rajpurkar et al. 2018): articles of paragraphs of questions. In 1.1 every
 * question has an answer; in 2.0 `is_impossible` marks those that have none (their `plausible_answers` are not answers and are not read).
 */
import { LecternError } from "../errors.js";
import { asFields, asFilledText, asId, asInteger, asList, asText, at, type Fields, type Place } from "./fields.js";
import type { RawAnswer, RawQuestion } from "./raw-question.js";

/** Called for a paragraph that has no questions. */
export type OnEmptyParagraph = () => void;

/**
 * The questions of a parsed SQuAD file in their order.
 * @throws LecternError DATA_FIELD with the path of a missing or wrong value, DATA_ANSWERS when the answers contradict `is_impossible`
 */
export function* readSquad(root: Fields, file: string, onEmptyParagraph: OnEmptyParagraph): Generator<RawQuestion> {
  const dataPlace = { file, path: "data" };
  for (const [a, article] of asList(root["data"], dataPlace).entries()) {
    const articlePlace = at(dataPlace, a);
    const { title, paragraphs } = asFields(article, articlePlace);
    const articleTitle = title === undefined || title === null ? undefined : asText(title, at(articlePlace, "title"));
    const paragraphsPlace = at(articlePlace, "paragraphs");
    for (const [p, paragraph] of asList(paragraphs, paragraphsPlace).entries()) {
      const paragraphPlace = at(paragraphsPlace, p);
      const { context, qas } = asFields(paragraph, paragraphPlace);
      const text = asFilledText(context, at(paragraphPlace, "context"));
      const questionsPlace = at(paragraphPlace, "qas");
      const questions = asList(qas, questionsPlace);
      if (questions.length === 0) onEmptyParagraph();
      for (const [q, question] of questions.entries()) {
        const place = at(questionsPlace, q);
        const fields = asFields(question, place);
        yield {
          id: asId(fields["id"], at(place, "id")),
          title: articleTitle,
          question: asFilledText(fields["question"], at(place, "question")),
          context: text,
          answers: readAnswers(fields, place),
          place,
        };
      }
    }
  }
}

function readAnswers(fields: Fields, place: Place): RawAnswer[] | undefined {
  const { answers, is_impossible: impossible } = fields;
  if (answers === undefined || answers === null) return impossible === true ? [] : undefined;
  const list = readAnswerList(answers, at(place, "answers"));
  if (list.length === 0 && impossible !== true) throw answersMissing(place, impossible === false);
  return list;
}

/** Answers as a list of {text, answer_start}. */
export function readAnswerList(answers: unknown, place: Place): RawAnswer[] {
  return asList(answers, place).map((answer, i) => {
    const answerPlace = at(place, i);
    const { text, answer_start: start } = asFields(answer, answerPlace, "an object with text and answer_start");
    return { text: asText(text, at(answerPlace, "text")), start: asInteger(start, at(answerPlace, "answer_start")) };
  });
}

function answersMissing(place: Place, saysAnswerable: boolean): LecternError {
  return new LecternError("DATA_ANSWERS", {
    message: `${place.file}: ${place.path} has no answer${saysAnswerable ? ", although it says that it is not impossible" : ""}.`,
    expected: 'at least one answer, or "is_impossible": true',
    received: saysAnswerable ? '"is_impossible": false and an empty list of answers' : "an empty list of answers",
    next: 'Add the answer, or mark the question with "is_impossible": true (SQuAD 2.0).',
  });
}
