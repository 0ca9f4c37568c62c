/**
 * The nested JSON of SQuAD 1.1 (Rajpurkar et al. 2016) and 2.0 (Rajpurkar et al. 2018): articles of paragraphs of questions. In 1.1 every
 * question has an answer; in 2.0 `is_impossible` marks those that have none (their `plausible_answers` are not answers and are not read).
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
  type Fields,
  isAbsent,
  type Place,
} from "./fields.js";
import { type BadRow, isBadRow, orBadRow, type RawAnswer, type RawQuestion } from "./raw-question.js";

/** Called for a paragraph that has no questions. */
export type OnEmptyParagraph = () => void;

/**
 * The questions of a parsed SQuAD file in their order. An article or a paragraph that cannot be read is a bad row like a question.
 * @throws LecternError DATA_FIELD when `data` is not a list
 */
export function* readSquad(root: Fields, file: string, onEmptyParagraph: OnEmptyParagraph): Generator<RawQuestion | BadRow> {
  const dataPlace = { file, path: "data" };
  for (const [a, article] of asList(root["data"], dataPlace).entries()) yield* readArticle(article, at(dataPlace, a), onEmptyParagraph);
}

function* readArticle(article: unknown, place: Place, onEmptyParagraph: OnEmptyParagraph): Generator<RawQuestion | BadRow> {
  const read = orBadRow(place, () => {
    const { title, paragraphs } = asFields(article, place);
    return { title: asTextOrNumber(title, at(place, "title")), paragraphs: asList(paragraphs, at(place, "paragraphs")) };
  });
  if (isBadRow(read)) return yield read;
  for (const [p, paragraph] of read.paragraphs.entries()) {
    yield* readParagraph(paragraph, at(at(place, "paragraphs"), p), read.title, onEmptyParagraph);
  }
}

/** The questions of a {context, qas}. */
function* readParagraph(
  paragraph: unknown,
  place: Place,
  title: string | undefined,
  onEmptyParagraph: OnEmptyParagraph,
): Generator<RawQuestion | BadRow> {
  const read = orBadRow(place, () => {
    const { context, qas } = asFields(paragraph, place);
    return { context: asText(context, at(place, "context")), questions: asList(qas, at(place, "qas")) };
  });
  if (isBadRow(read)) return yield read;
  const { context, questions } = read;
  if (questions.length === 0) onEmptyParagraph();
  for (const [q, question] of questions.entries()) {
    const questionPlace = at(at(place, "qas"), q);
    yield orBadRow(questionPlace, () => readQuestion(question, questionPlace, { title, context }));
  }
}

function readQuestion(question: unknown, place: Place, { title, context }: { title: string | undefined; context: string }): RawQuestion {
  const fields = asFields(question, place);
  const { answers } = fields;
  return {
    id: asId(fields["id"], at(place, "id")),
    title,
    question: asFilledText(fields["question"], at(place, "question")),
    context,
    answers: isAbsent(answers) ? undefined : readAnswerList(answers, at(place, "answers")),
    impossible: asFlag(fields["is_impossible"], at(place, "is_impossible")),
    place,
  };
}

/** Answers as a list of {text, answer_start}. */
export function readAnswerList(answers: unknown, place: Place): RawAnswer[] {
  return asList(answers, place).map((answer, i) => {
    const answerPlace = at(place, i);
    const { text, answer_start: start } = asFields(answer, answerPlace, "an object with text and answer_start");
    return { text: asAnswerText(text, at(answerPlace, "text")), start: asStart(start, at(answerPlace, "answer_start")) };
  });
}
