/**
 * What tells one set of questions from another: a hash over their texts. Figures of two evaluations can be set beside each other only where it is the
 * same, and a training can go on only with the data that it began with.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { QaExample } from "./examples.js";

export const dataIdentitySchema = z.object({
  /** Where the questions came from, as it was named. */
  files: z.array(z.string()),
  questions: z.number().int().nonnegative(),
  /** Over ids, questions, contexts and answers, in their order. */
  sha256: z.string(),
});
export type DataIdentity = z.infer<typeof dataIdentitySchema>;

/**
 * The identity of some examples.
 * @example
 * dataIdentity(examples, ["dev.json"]).sha256 === dataIdentity(others).sha256; // the same questions, from wherever they came
 */
export function dataIdentity(examples: readonly QaExample[], files: readonly string[] = []): DataIdentity {
  return { files: [...files], questions: examples.length, sha256: examplesHash(examples, { answers: true }) };
}

/** SHA-256 over the examples in their order, as hexadecimal digits. A context that is repeated from one example to the next counts once. */
export function examplesHash(examples: readonly QaExample[], { answers: withAnswers }: { answers: boolean }): string {
  const hash = createHash("sha256");
  let last: string | undefined;
  for (const { id, question, context, answers } of examples) {
    hash.update(JSON.stringify([id, question, ...(context === last ? [] : [context]), ...(withAnswers ? [answers] : [])]));
    last = context;
  }
  return hash.digest("hex");
}
