/**
 * Forms of data that are known and not read: their contexts are elsewhere or come in pieces, or their answers are no spans. Each says how to
 * make something of it that is read.
 */
import type { Fields } from "../fields.js";
import { structured } from "../structured-text.js";
import { defineDataForm } from "./data-form.js";

const asRows = "Write rows of question, context and answer (JSON lines or CSV)";

export const unreadForms = [
  defineDataForm({
    name: "TriviaQA",
    matches: (record) => has(record, "Question", "Answer") && ("EntityPages" in record || "SearchResults" in record),
    convert: `Its contexts are files of their own. ${asRows}, a row for each document that holds the answer; or take MRQA's version, which is read.`,
  }),
  defineDataForm({
    name: "Natural Questions",
    matches: (record) =>
      has(record, "annotations") && ("document_html" in record || "document_tokens" in record || "document_text" in record),
    convert: `Its contexts are whole pages, its answers tokens of them. ${asRows}, with a long answer's text as the context; or take MRQA's version, which is read.`,
  }),
  defineDataForm({
    name: "TyDi QA (primary tasks)",
    matches: (record) => has(record, "document_plaintext", "annotations"),
    convert: "Take the gold passage task (tydiqa-goldp), which has SQuAD's form and is read.",
  }),
  defineDataForm({
    name: "HotpotQA",
    matches: ({ question, context }) => typeof question === "string" && isPieces(context),
    convert: `Its contexts are paragraphs in pieces. ${asRows}, with the sentences of the supporting paragraphs joined as the context.`,
  }),
  defineDataForm({
    name: "MuSiQue",
    matches: (record) => has(record, "question") && isListWith(record["paragraphs"], "paragraph_text"),
    convert: `Its contexts are paragraphs in pieces. ${asRows}, with the supporting paragraphs joined as the context.`,
  }),
  defineDataForm({
    name: "DROP",
    matches: (record) => has(record, "passage", "qa_pairs"),
    convert: `Its answers may be numbers and dates. ${asRows} of the questions whose answer is one span.`,
  }),
  defineDataForm({
    name: "CoQA",
    matches: (record) => has(record, "story", "questions", "answers"),
    convert: `Its questions need those before them, its answers are free text. ${asRows}, with the dialogue before it in the question and span_text as the answer.`,
  }),
  defineDataForm({
    name: "MS MARCO",
    matches: (record) =>
      has(record, "query") && (isListWith(record["passages"], "passage_text") || isObjectWith(record["passages"], "passage_text")),
    convert: `Its answers are free text over several passages. ${asRows} of the selected passages that hold the answer.`,
  }),
  defineDataForm({
    name: "DPR",
    matches: (record) => has(record, "question", "positive_ctxs"),
    convert: `It has passages to be found. ${asRows}, with the text of a positive passage that holds the answer as the context.`,
  }),
  defineDataForm({
    name: "yes-or-no questions (BoolQ)",
    matches: ({ question, passage, context, answer }) =>
      typeof question === "string" && typeof (passage ?? context) === "string" && typeof answer === "boolean",
    convert: "A reader marks a span; yes and no are none. Take a classifier for them.",
  }),
  defineDataForm({
    name: "multiple choice (RACE and the like)",
    matches: (record) => has(record, "question") && (isChoices(record["options"]) || isChoices(record["choices"])) && "answer" in record,
    convert: `A reader marks a span of the context. ${asRows} of the questions whose right choice stands in the text.`,
  }),
  defineDataForm({
    name: "chat messages",
    matches: (record) => ["messages", "conversations"].some((name) => isListWith(record[name], "role") || isListWith(record[name], "from")),
    convert: `They have no contexts of their own. ${asRows}, with the text that the answer stands in as the context.`,
  }),
  defineDataForm({
    name: "instructions (Alpaca)",
    matches: (record) => has(record, "instruction", "output") && !("question" in record),
    convert:
      "Where the answers stand word for word in the inputs, name the columns: columns: { question: instruction, context: input, answer: output }.",
  }),
  defineDataForm({
    name: "documents without questions",
    matches: (record) => !has(record, "question") && isTexts(structured(record["paragraphs"])),
    convert: `Nothing asks anything of them. Annotate them (Label Studio, Haystack's or cdQA's annotator), or write rows of question, context and answer.`,
  }),
];

function has(record: Fields, ...names: string[]): boolean {
  return names.every((name) => name in record);
}

function isObjectWith(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && name in value;
}

function isListWith(value: unknown, name: string): boolean {
  return Array.isArray(value) && value.length > 0 && isObjectWith(value[0], name);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
}

/** [[title, [sentence, …]], …] or, on the Hub, {title: […], sentences: [[…], …]}. */
function isPieces(context: unknown): boolean {
  if (isObjectWith(context, "sentences")) return true;
  return Array.isArray(context) && Array.isArray(context[0]) && Array.isArray((context[0] as unknown[])[1]);
}

function isChoices(value: unknown): boolean {
  return isTexts(value) || isObjectWith(value, "text");
}
