/**
 * Trains on rows that the program holds in memory, as they come from a database or an interface, and evaluates on others.
 *
 *   npx tsx examples/rows.ts [key=value ...]      settings of a recipe, such as max_steps=20
 */
import { type QuestionRow, train } from "lectern";

const machines = {
  "difference engine": "Babbage",
  "mechanical calculator": "Leibniz",
  "punched card loom": "Jacquard",
  tabulator: "Hollerith",
};

function* questions(names: readonly string[]): Generator<QuestionRow> {
  for (const name of names) {
    for (const [machine, inventor] of Object.entries(machines)) {
      const context = `In the year of ${name}, the ${machine} was still in use, which ${inventor} had designed.`;
      yield { question: `Who designed the ${machine}?`, context, answers: [{ text: inventor, answer_start: context.indexOf(inventor) }] };
      yield { question: `What was bought in the year of ${name}?`, context, answers: [] }; // the text does not say
    }
  }
}

const { model, results } = await train(
  { max_steps: 30, learning_rate: 2e-4, max_length: 64, stride: 16, output_dir: "runs/rows" },
  {
    model: "starter/minilm-l6",
    trainData: questions(["the flood", "the comet", "the fair"]),
    evalData: questions(["the eclipse"]),
    overrides: process.argv.slice(2),
    onNote: (line) => console.log(line),
  },
);
console.log(`F1 ${results.baseline_f1.toFixed(1)} before, ${results.f1.toFixed(1)} after; the model is in ${model}`);
