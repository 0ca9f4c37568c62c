/** A question as a file holds it, before its answers are looked up in the context: what every reader of a format yields. */
import type { Place } from "./fields.js";

export interface RawQuestion {
  /** Undefined where the format allows rows without an id. */
  id: string | undefined;
  title: string | undefined;
  question: string;
  context: string;
  /** Undefined where the file says nothing of answers, an empty list where it says that there are none. */
  answers: RawAnswer[] | undefined;
  place: Place;
}

export interface RawAnswer {
  text: string;
  /** Where the answer begins, in Unicode code points of the context, as Python counts. */
  start: number;
}
