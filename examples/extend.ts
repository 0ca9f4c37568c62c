/**
 * Trains an architecture of one's own, with an op of its own, on rows in memory, and keeps the checkpoint that is best by a metric of its own.
 *
 *   npx tsx examples/extend.ts [FOLDER]      FOLDER: for the model and the run; runs/extend by default
 */
import { join } from "node:path";
import { QuestionAnswerer, type QuestionRow, train, writeFreshReader } from "lectern";
import { checkOp } from "lectern/engine";
import { Softplus } from "./own-parts.js";

await checkOp(Softplus); // its shapes against the runtime, its gradient against finite differences; at home in a test

const colours = ["red", "green", "blue", "white", "black", "grey"];
const rows = ["door", "boat", "coat", "kite"].flatMap((thing) =>
  colours.map((colour): QuestionRow => ({
    question: `Which colour has the ${thing}?`,
    context: `The old ${thing} is ${colour} now.`,
    answer: colour,
  })),
);

const [folder = "runs/extend"] = process.argv.slice(2);
const model = join(folder, "fresh");
await writeFreshReader(model, { config: { model_type: "softplus-encoder" }, tokenizer: "starter/minilm-l6" });

const { model: trained, results } = await train(
  {
    ...{ output_dir: join(folder, "run"), max_steps: 60, learning_rate: 0.005, max_length: 32, stride: 8 },
    ...{ eval_strategy: "steps", eval_steps: 20, save_steps: 20, load_best_model_at_end: true, metric_for_best_model: "begins_right" },
  },
  { model, trainData: rows, evalData: rows.slice(0, 6) },
);
console.log(
  `${results.baseline_begins_right.toFixed(0)}% begin right before, ${results.begins_right.toFixed(0)}% after; F1 ${results.f1.toFixed(0)}`,
);

const reader = await QuestionAnswerer.from(trained);
const [{ answer }] = await reader.answer([{ question: "Which colour has the boat?", context: "The old boat is green now." }]);
console.log(`the boat is ${answer}`);
reader.release();
