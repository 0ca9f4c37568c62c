/**
 * What a form of data is: the shape of one record (a line of JSON lines, an entry of a JSON list, a row of a table) as some tool or data set
 * writes it. How records are written (JSON, CSV, parquet) is no matter of the form. Forms are tried in their order; the content decides.
 */
import type { Fields, Place } from "../fields.js";
import type { DataFile } from "../question-files.js";
import type { BadRow, RawQuestion } from "../raw-question.js";

interface Form {
  /** As reports and errors name it: "Label Studio". */
  name: string;
  /** Whether a record is of this form, by its keys and the kinds of their values. Must not throw. */
  matches: (record: Fields) => boolean;
}

/** A form that is read. */
export interface ReadForm extends Form {
  /**
   * The questions of a record, in their order. A `LecternError` that it throws makes the record a bad row; a record of several questions yields
   * bad rows itself (`orBadRow`), so that its other questions are kept.
   * @param place where the record stands, for questions and errors
   * @param file what is known of the file
   */
  read: (record: Fields, place: Place, file: DataFile) => Iterable<RawQuestion | BadRow>;
}

/** A form that is known but not read. */
export interface UnreadForm extends Form {
  /** The sentence that says what to do: how to convert it, or why it cannot be. */
  convert: string;
}

export type DataForm = ReadForm | UnreadForm;

/**
 * Declares a form.
 * @example
 * const faq = defineDataForm({
 *   name: "our FAQ",
 *   matches: (record) => "q" in record && "page" in record,
 *   *read({ q, page, quote }, place) {
 *     const answers = [{ text: String(quote), start: undefined }];
 *     yield { id: undefined, title: undefined, question: String(q), context: String(page), answers, impossible: undefined, place };
 *   },
 * });
 */
export function defineDataForm<F extends DataForm>(form: F): F {
  return form;
}
