/**
 * NewsQA (Trischler et al. 2017) as its maintainers' program combines it with the stories: {text, questions: [{q, consensus}]}. The consensus of
 * the annotators is a span {s, e}, that the story does not answer, or that the question is bad: such a question is left out.
 */
import { asFields, asFilledText, asId, asList, asText, at, FieldError, type Place } from "../fields.js";
import { orBadRow, type RawQuestion } from "../raw-question.js";
import { readSpan } from "./annotated-spans.js";
import { defineDataForm } from "./data-form.js";

export const newsQa = defineDataForm({
  name: "NewsQA",
  matches: ({ text, questions }) => typeof text === "string" && Array.isArray(questions) && questions.some(isQuestion),
  *read(record, place, file) {
    const context = asText(record["text"], at(place, "text"));
    const questions = asList(record["questions"], at(place, "questions"));
    if (questions.length === 0) file.emptyParagraphs++;
    for (const [q, question] of questions.entries()) {
      const questionPlace = at(at(place, "questions"), q);
      yield orBadRow(questionPlace, () => readQuestion(question, context, asId(record["storyId"], at(place, "storyId")), q, questionPlace));
    }
  },
});

function isQuestion(value: unknown): boolean {
  return typeof value === "object" && value !== null && "q" in value && "consensus" in value;
}

function readQuestion(question: unknown, context: string, story: string | undefined, number: number, place: Place): RawQuestion {
  const fields = asFields(question, place);
  const { s: start, e: end, badQuestion } = asFields(fields["consensus"], at(place, "consensus"));
  if (badQuestion === true) throw new FieldError(at(place, "consensus"), "a good question", "badQuestion");
  return {
    id: story === undefined ? undefined : `${story}#${number}`,
    title: undefined,
    question: asFilledText(fields["q"], at(place, "q")),
    context,
    answers: start === undefined ? [] : [readSpan({ text: undefined, start, end }, context, at(place, "consensus"))],
    impossible: undefined,
    place,
  };
}
