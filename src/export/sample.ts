/** The questions that an export is proved on where no data is given: real ones, some of each article of the bundled SQuAD slice. */
import { fileURLToPath } from "node:url";
import { loadExamples, type QaExample } from "../data/examples.js";

const questions = 32;

/** Questions spread evenly over the bundled development data. */
export async function sampleExamples(): Promise<QaExample[]> {
  const { examples } = await loadExamples([fileURLToPath(new URL("../../starter/squad/dev.json", import.meta.url))]);
  const step = Math.max(1, Math.floor(examples.length / questions));
  return examples.filter((_, index) => index % step === 0).slice(0, questions);
}
