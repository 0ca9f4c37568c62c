/**
 * Answers a question on a text, and says where in the text the answer stands.
 *
 *   npx tsx examples/answer.ts [MODEL]      MODEL: a folder such as runs/quickstart (default), or a reader's name on the hub
 */
import { QuestionAnswerer } from "lectern";

const context =
  "Ada Lovelace wrote the first published program for the Analytical Engine, a machine that Charles Babbage had designed in London.";
const questions = ["Who designed the Analytical Engine?", "Where was the machine designed?"].map((question) => ({ question, context }));

const reader = await QuestionAnswerer.from(process.argv[2] ?? "runs/quickstart");
const answers = await reader.answer(questions);
for (const [index, { answer, start, end, score }] of answers.entries()) {
  console.log(`${questions[index].question}  ${answer}  (characters ${start} to ${end}, score ${score.toFixed(2)})`);
}
reader.release();
