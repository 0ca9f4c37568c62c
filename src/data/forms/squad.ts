/**
 * The nested JSON of SQuAD 1.1 (Rajpurkar et al. 2016) and 2.0 (Rajpurkar et al. 2018): articles of paragraphs of questions. In 1.1 every
 * question has an answer; in 2.0 `is_impossible` marks those that have none (their `plausible_answers` are not answers and are not read).
 * A record is an article {title, paragraphs} or, as Simple Transformers has it, a paragraph {context, qas}. Fields may have the names that
 * rows may have: CMRC 2018 writes {context_text, qas: [{query_text, query_id, answers: [text]}]}. The Haystack and cdQA annotators write
 * this form as well, and so do KorQuAD, DRCD, FQuAD, GermanQuAD and many others.
 */
import { nameColumns } from "../columns.js";
import { asFields, asList, asText, asTextOrNumber, at, type Fields, isFields, type Place } from "../fields.js";
import type { DataFile } from "../question-files.js";
import { type BadRow, isBadRow, orBadRow, type RawQuestion } from "../raw-question.js";
import { structured } from "../structured-text.js";
import { defineDataForm } from "./data-form.js";
import { readRow } from "./rows.js";

export const squad = defineDataForm({
  name: "squad",
  matches: (record) => "paragraphs" in record || questionListOf(record) !== undefined,
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

/** The name of the list of questions: `qas`, or `questions` beside a context. */
function questionListOf(record: Fields): "qas" | "questions" | undefined {
  if ("qas" in record) return "qas";
  const { questions } = record;
  const isList = Array.isArray(questions) && questions.some((each) => isFields(each) && "question" in each);
  return isList && "context" in nameColumns(record).fields ? "questions" : undefined;
}

/** The questions of a {context, qas}. */
function* readParagraph(record: Fields, place: Place, title: unknown, file: DataFile): Generator<RawQuestion | BadRow> {
  const list = questionListOf(record) ?? "qas";
  const read = orBadRow(place, () => {
    const { fields, names } = nameColumns(record);
    return {
      context: asText(fields["context"], at(place, names.context ?? "context")),
      title: asTextOrNumber(title, at(place, "title")),
      questions: asList(structured(record[list]), at(place, list)),
    };
  });
  if (isBadRow(read)) return yield read;
  const { questions, context, title: shared } = read;
  if (questions.length === 0) file.emptyParagraphs++;
  for (const [q, question] of questions.entries()) {
    const questionPlace = at(at(place, list), q);
    yield orBadRow(questionPlace, () => {
      const { fields, names } = nameColumns(asFields(question, questionPlace));
      return readRow({ fields: { ...fields, context, title: shared }, names }, questionPlace);
    });
  }
}
