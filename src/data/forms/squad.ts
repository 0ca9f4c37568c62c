/**
 * The nested JSON of SQuAD 1.1 (Rajpurkar et al. 2016) and 2.0 (Rajpurkar et al. 2018): articles of paragraphs of questions. In 1.1 every
 * question has an answer; in 2.0 `is_impossible` marks those that have none (their `plausible_answers` are not answers and are not read).
 * A record is an article {title, paragraphs} or, as Simple Transformers has it, a paragraph {context, qas}. The Haystack and cdQA annotators
 * write this form as well, and so do KorQuAD, DRCD, FQuAD, GermanQuAD and many others.
 */
import { asFields, asFilledText, asFlag, asId, asList, asText, asTextOrNumber, at, type Fields, isAbsent, type Place } from "../fields.js";
import type { DataFile } from "../question-files.js";
import { type BadRow, isBadRow, orBadRow, type RawQuestion } from "../raw-question.js";
import { readAnswers } from "../read-answers.js";
import { structured } from "../structured-text.js";
import { defineDataForm } from "./data-form.js";

export const squad = defineDataForm({
  name: "squad",
  matches: (record) => "paragraphs" in record || "qas" in record,
  read: (record, place, file) =>
    "paragraphs" in record ? readArticle(record, place, file) : readParagraph(record, place, record["title"], file),
});

function* readArticle({ title, paragraphs }: Fields, place: Place, file: DataFile): Generator<RawQuestion | BadRow> {
  const list = asList(structured(paragraphs), at(place, "paragraphs"));
  for (const [p, paragraph] of list.entries()) {
    const paragraphPlace = at(at(place, "paragraphs"), p);
    const fields = orBadRow(paragraphPlace, () => asFields(paragraph, paragraphPlace));
    if (isBadRow(fields)) yield fields;
    else yield* readParagraph(fields, paragraphPlace, title, file);
  }
}

/** The questions of a {context, qas}. */
function* readParagraph(fields: Fields, place: Place, title: unknown, file: DataFile): Generator<RawQuestion | BadRow> {
  const read = orBadRow(place, () => {
    const questions = asList(structured(fields["qas"]), at(place, "qas"));
    return { context: asText(fields["context"], at(place, "context")), questions, title: asTextOrNumber(title, at(place, "title")) };
  });
  if (isBadRow(read)) return yield read;
  if (read.questions.length === 0) file.emptyParagraphs++;
  for (const [q, question] of read.questions.entries()) {
    const questionPlace = at(at(place, "qas"), q);
    yield orBadRow(questionPlace, () => readQuestion(question, questionPlace, read));
  }
}

function readQuestion(question: unknown, place: Place, { title, context }: { title: string | undefined; context: string }): RawQuestion {
  const fields = asFields(question, place);
  const name = isAbsent(fields["answers"]) ? "answer" : "answers"; // KorQuAD 2.0 has one `answer`
  const answers = fields[name];
  return {
    id: asId(fields["id"], at(place, "id")),
    title,
    question: asFilledText(fields["question"], at(place, "question")),
    context,
    answers: isAbsent(answers) ? undefined : readAnswers(answers, at(place, name)),
    impossible: asFlag(fields["is_impossible"], at(place, "is_impossible")),
    place,
  };
}
