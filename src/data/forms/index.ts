/** The forms of data files, in the order in which they are tried: those with marks of their own first, plain rows last. */
import type { Fields } from "../fields.js";
import { argilla } from "./argilla.js";
import type { DataForm } from "./data-form.js";
import { doccano } from "./doccano.js";
import { haystackLabels } from "./haystack-labels.js";
import { labelStudio, labelStudioTable } from "./label-studio.js";
import { mrqa } from "./mrqa.js";
import { newsQa } from "./newsqa.js";
import { prodigy } from "./prodigy.js";
import { rows } from "./rows.js";
import { squad } from "./squad.js";
import { unreadForms } from "./unread-forms.js";

const forms: readonly DataForm[] = [
  ...unreadForms,
  mrqa,
  newsQa,
  haystackLabels,
  argilla,
  labelStudio,
  labelStudioTable,
  prodigy,
  doccano,
  squad,
  rows,
];
const registered: DataForm[] = [];

/**
 * Adds a form of your own; it is tried before those that are built in, the last one added first.
 * @returns a function that takes it away again
 * @example
 * registerDataForm(defineDataForm({ name: "our FAQ", matches: (record) => "q" in record, read: readFaq }));
 * const { examples } = await loadExamples("faq.jsonl");
 */
export function registerDataForm(form: DataForm): () => void {
  registered.unshift(form);
  return () => {
    const at = registered.indexOf(form);
    if (at >= 0) registered.splice(at, 1);
  };
}

/** The form of a record, if it is known. */
export function formOf(record: Fields): DataForm | undefined {
  return registered.find((form) => form.matches(record)) ?? forms.find((form) => form.matches(record));
}
