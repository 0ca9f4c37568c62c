import { expect, it } from "vitest";
import { columnsOfText, nameColumns } from "./columns.js";

it("names are compared without case, spaces and hyphens; the first usual one is taken", () => {
  const { fields, names } = nameColumns({ " Question ": "q", "Answer-Start": 3, answerText: "a", Passage: "p", text: "t" });
  expect(fields).toEqual({ question: "q", answer_start: 3, answer: "a", context: "p" });
  expect(names).toMatchObject({ context: "Passage", answer: "answerText" });
});

it("a column called text is the context, or the answer where the context has another name", () => {
  expect(nameColumns({ text: "t", question: "q" }).fields).toEqual({ context: "t", question: "q" });
  expect(nameColumns({ text: "t", context: "c", question: "q" }).fields).toEqual({ answer: "t", context: "c", question: "q" });
  expect(nameColumns({ text: "t", context: "c", answers: [] }).fields).toEqual({ answers: [], context: "c" });
});

it("columns that the person names win; other columns of answers are then none", () => {
  const row = { question: "q", Frage: "f", context: "c", answers: ["x"], Antwort: "a" };
  expect(nameColumns(row, { question: "Frage", answer: "Antwort" }).fields).toEqual({ question: "f", context: "c", answer: "a" });
});

it("columns as a text", () => {
  expect(columnsOfText("question=Frage, context = body.text")).toEqual({ question: "Frage", context: "body.text" });
  expect(columnsOfText("question=Wer, was oder wo,context=a=b")).toEqual({ question: "Wer, was oder wo", context: "a=b" });
  for (const text of ["", "question", "frage=Frage", "question=", "=x"]) expect(columnsOfText(text), text).toBeUndefined();
});
